with receivables as (
    select
        *,
        {{ trade_period_start() }} as period_start
    from {{ ref('fct_receivable') }}
    where book = {{ book() }}
),

payments as (
    select *
    from {{ ref('stg_payments') }}
    where is_latest
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

-- What was owed when the period began: invoiced less paid, never under 0 on an account, 0 on one written off by then.
invoiced_before as (
    select
        facility_id,
        customer_id,
        sum(amount_due) as invoiced
    from receivables
    where
        issued_on <= period_start
        and coalesce(written_off_on > period_start, true)
    group by facility_id, customer_id
),

paid_before as (
    select
        facility_id,
        sum(amount_cents) as paid_cents
    from payments
    where value_date <= {{ trade_period_start() }}
    group by facility_id
),

opening as (
    select
        invoiced_before.customer_id,
        sum(greatest(invoiced_before.invoiced - coalesce({{ from_cents('paid_before.paid_cents') }}, 0), 0))
            as opening_receivables
    from invoiced_before
    left join paid_before on invoiced_before.facility_id = paid_before.facility_id
    group by invoiced_before.customer_id
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
    cast(case when credit_sales > 0 then countback_dso end as double precision) as countback_dso,
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
