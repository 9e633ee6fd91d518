with facilities as (
    select *
    from {{ ref('int_facility') }}
    where book = {{ book() }}
),

receivables as (
    select
        *,
        {{ trade_period_start() }} as period_start
    from {{ ref('fct_receivable') }}
    where book = {{ book() }}
),

marked as (
    select
        *,
        amount_due > 0
        and {{ counts_in_dbt('receivables', 'is_disputed', 'written_off_on', 'period_start', as_of()) }} as counts_in_dbt
    from receivables
),

ages as (
    select
        customer_id,
        {% for column in ageing_columns() %}
        sum(case when not is_disputed and ageing = '{{ column }}' then open_amount else 0 end) as {{ column }},
        {% endfor %}
        sum(case when is_disputed then open_amount else 0 end) as disputed,
        sum(open_amount) as receivables,
        count(case when open_amount > 0 then 1 end) as open_invoices,
        sum(case when issued_on > period_start then amount_due else 0 end) as credit_sales,
        sum(case when counts_in_dbt then amount_due * days_beyond_terms end)
        / nullif(sum(case when counts_in_dbt then amount_due end), 0) as dbt_days
    from marked
    group by customer_id
),

-- What was owed when the period began: open invoices issued by then, on accounts not written off by then.
invoices as (
    select
        settlement.facility_key as scope_key,
        settlement.due_item_id,
        settlement.sequence_no,
        settlement.issued_on,
        settlement.due_date,
        settlement.amount_cents,
        receivables.customer_id
    from receivables
    inner join {{ ref('int_due_item_settlement') }} as settlement
        on
            receivables.due_item_id = settlement.due_item_id
            and settlement.book = {{ book() }}
    inner join facilities on settlement.facility_key = facilities.facility_key
    where
        settlement.amount_cents > 0
        and coalesce(receivables.written_off_on > receivables.period_start, true)
),

{{ queue_entry_cte('entering', 'invoices') }},

queue_items as (
    select
        *,
        {{ settlement_tolerance('scope_key', 'facilities') }} as tolerance_cents
    from entering
),

queue_looks as (
    select distinct
        scope_key,
        {{ trade_period_start() }} as look_on,
        {{ trade_period_start() }} as last_day
    from queue_items
),

credit_entries as (
    select
        facility_key as scope_key,
        due_item_id,
        value_date,
        applied_cents,
        pool_cents
    from {{ ref('int_credit_entry') }}
    where book = {{ book() }}
),

{{ open_item_ctes() }},

opening as (
    select
        queue_items.customer_id,
        {{ from_cents(sum_cents('open_items.unpaid_cents')) }} as opening_receivables
    from open_items
    inner join queue_items
        on
            open_items.scope_key = queue_items.scope_key
            and open_items.due_item_id = queue_items.due_item_id
    where coalesce(queue_items.issued_on, queue_items.due_date) <= open_items.look_on
    group by queue_items.customer_id
),

-- Countback: the newest months' sales are taken off the receivables until nothing is left of them. What a year's sales
-- do not use up has no such number of days.
month_sales as (
    select
        customer_id,
        {{ month_end('issued_on') }} as month_end,
        greatest(sum(amount_due), 0) as sales
    from receivables
    where issued_on > {{ month_end_before(as_of(), 12) }}
    group by customer_id, {{ month_end('issued_on') }}
),

months_back as (
    select
        customer_id,
        sales,
        sum(sales) over newest_first - sales as newer_sales,
        {{ days_between(month_end_before('month_end', 1), 'least(month_end, ' ~ as_of() ~ ')') }} as month_days,
        {{ days_between(
            'least(month_end, ' ~ as_of() ~ ')',
            'lag(' ~ month_end_before('month_end', 1) ~ ', 1, ' ~ as_of() ~ ') over newest_first'
        ) }} as days_after_month
    from month_sales
    window newest_first as (partition by customer_id order by month_end desc)
),

countback as (
    select
        months_back.customer_id,
        case
            when max(ages.receivables) <= sum(months_back.sales)
                then sum(
                    case
                        when ages.receivables > months_back.newer_sales
                            then
                                months_back.days_after_month
                                + months_back.month_days
                                * coalesce(
                                    least((ages.receivables - months_back.newer_sales) / nullif(months_back.sales, 0), 1),
                                    1
                                )
                        else 0
                    end
                )
        end as countback_dso
    from months_back
    inner join ages on months_back.customer_id = ages.customer_id
    group by months_back.customer_id
),

measured as (
    select
        ages.*,
        coalesce(opening.opening_receivables, 0) as opening_receivables,
        {{ days_between(trade_period_start(), as_of()) }} as period_days,
        countback.countback_dso
    from ages
    left join opening on ages.customer_id = opening.customer_id
    left join countback on ages.customer_id = countback.customer_id
)

select
    {{ book() }} as book,
    customer_id,
    {% for column in ageing_columns() %}
    cast({{ column }} as numeric(18, 2)) as {{ column }},
    {% endfor %}
    cast(disputed as numeric(18, 2)) as disputed,
    cast(receivables as numeric(18, 2)) as receivables,
    cast(open_invoices as integer) as open_invoices,
    cast(opening_receivables as numeric(18, 2)) as opening_receivables,
    cast(credit_sales as numeric(18, 2)) as credit_sales,
    period_days,
    cast(receivables * period_days / case when credit_sales > 0 then credit_sales end as double precision) as dso,
    cast(countback_dso as double precision) as countback_dso,
    cast(not_due * period_days / case when credit_sales > 0 then credit_sales end as double precision)
        as best_possible_dso,
    cast((receivables - not_due) * period_days / case when credit_sales > 0 then credit_sales end as double precision)
        as add_days,
    cast(dbt_days as double precision) as dbt_days,
    cast(
        100 * (opening_receivables + credit_sales - receivables)
        / case
            when opening_receivables + credit_sales - not_due > 0 then opening_receivables + credit_sales - not_due
        end as double precision
    ) as cei
from measured
