with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and product_type = 'trade_credit'
),

invoices as (
    select
        due_items.customer_id,
        due_items.due_item_id,
        due_items.due_date,
        due_items.settled_on,
        due_items.amount_cents
    from {{ ref('int_due_item_settlement') }} as due_items
    inner join facilities on due_items.facility_key = facilities.facility_key
    where
        due_items.book = {{ book() }}
        and due_items.amount_cents > 0
        and due_items.due_date <= {{ as_of() }}
),

months as (
    select *
    from {{ month_ends('(select min(invoices.due_date) from invoices)') }} as calendar
),

disputes as (
    select *
    from {{ ref('stg_disputes') }}
    where is_latest
),

-- Invoices that fell due in the quarter up to the month end, with any dispute opened by then.
seen as (
    select
        months.month_end,
        invoices.customer_id,
        invoices.due_item_id,
        invoices.amount_cents,
        {{ days_between('invoices.due_date', 'least(coalesce(invoices.settled_on, months.month_end), months.month_end)') }}
            as days_beyond_terms,
        max(case when disputes.opened_on <= months.month_end then 1 else 0 end) as is_disputed
    from months
    inner join invoices
        on
            months.month_end >= invoices.due_date
            and {{ month_index('invoices.due_date') }} > months.month_index - 3
    left join disputes on invoices.due_item_id = disputes.due_item_id
    group by
        months.month_end,
        invoices.customer_id,
        invoices.due_item_id,
        invoices.amount_cents,
        invoices.due_date,
        invoices.settled_on
)

select
    {{ book() }} as book,
    customer_id,
    month_end,
    cast(count(*) as integer) as invoices_due_3m,
    cast(sum(is_disputed) as integer) as disputed_3m,
    {{ from_cents('sum(amount_cents)') }} as amount_due_3m,
    cast(
        sum(case when is_disputed = 0 then amount_cents * cast(days_beyond_terms as numeric(18, 0)) end)
        / nullif(sum(case when is_disputed = 0 then amount_cents end), 0) as double precision
    ) as dbt_days_3m
from seen
group by customer_id, month_end
