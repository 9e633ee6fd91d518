with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and product_type = 'trade_credit'
),

invoices as (
    select
        due_items.facility_key,
        due_items.due_item_id,
        due_items.due_date,
        due_items.settled_on,
        due_items.amount_cents,
        case when facilities.status = 'written_off' then facilities.ended_on end as written_off_on
    from {{ ref('int_due_item_settlement') }} as due_items
    inner join facilities on due_items.facility_key = facilities.facility_key
    where
        due_items.book = {{ book() }}
        and due_items.amount_cents > 0
        and least(due_items.due_date, coalesce(due_items.settled_on, due_items.due_date)) <= {{ as_of() }}
),

months as (
    select
        month_end,
        month_index,
        {{ month_end_before('month_end', 3) }} as quarter_start
    from {{ month_ends('(select min(least(invoices.due_date, invoices.settled_on)) from invoices)') }} as calendar
),

-- The months of an account belong to the one who held it then.
holdings as (
    select *
    from {{ ref('int_facility_holding') }}
    where book = {{ book() }}
),

disputes as (
    select *
    from {{ ref('stg_disputes') }}
    where is_latest
),

-- Invoices that fell due or were settled in the quarter up to the month end, or are past due, with their disputes.
seen as (
    select
        months.month_end,
        months.quarter_start,
        holdings.customer_id,
        invoices.due_item_id,
        invoices.due_date,
        invoices.settled_on,
        invoices.written_off_on,
        invoices.amount_cents,
        invoices.due_date > months.quarter_start and invoices.due_date <= months.month_end as fell_due,
        coalesce(bool_or(disputes.opened_on <= months.month_end), false) as was_disputed,
        coalesce(bool_or(disputes.opened_on <= months.month_end and disputes.closed_on > months.month_end), false)
            as is_disputed
    from months
    inner join invoices
        on
            months.month_end >= least(invoices.due_date, invoices.settled_on)
            and (
                invoices.due_date > months.quarter_start
                or invoices.settled_on is null
                or invoices.settled_on > months.quarter_start
            )
    inner join holdings
        on
            invoices.facility_key = holdings.facility_key
            and months.month_end >= holdings.from_on
            and months.month_end < holdings.until_on
    left join disputes on invoices.due_item_id = disputes.due_item_id
    group by
        months.month_end,
        months.quarter_start,
        holdings.customer_id,
        invoices.due_item_id,
        invoices.due_date,
        invoices.settled_on,
        invoices.written_off_on,
        invoices.amount_cents
),

measured as (
    select
        *,
        {{ days_between('due_date', 'least(coalesce(settled_on, month_end), month_end)') }} as days_beyond_terms,
        {{ counts_in_dbt('seen', 'is_disputed', 'written_off_on', 'quarter_start', 'month_end') }} as counts_in_dbt
    from seen
)

select
    {{ book() }} as book,
    customer_id,
    month_end,
    cast(count(case when fell_due then 1 end) as integer) as invoices_due_3m,
    cast(count(case when fell_due and was_disputed then 1 end) as integer) as disputed_3m,
    {{ from_cents('coalesce(sum(case when fell_due then amount_cents end), 0)') }} as amount_due_3m,
    cast(
        sum(case when counts_in_dbt then amount_cents * cast(days_beyond_terms as numeric(18, 0)) end)
        / nullif(sum(case when counts_in_dbt then amount_cents end), 0) as double precision
    ) as dbt_days_3m
from measured
group by customer_id, month_end
