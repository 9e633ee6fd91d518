with facility_months as (
    select
        *,
        lag(is_default, 1, false) over (partition by facility_id order by month_end) as was_default
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

customers as (
    select *
    from {{ ref('dim_customer') }}
    where book = {{ book() }}
),

summed as (
    select
        facility_months.month_end as month,
        facility_months.product_id,
        coalesce(customers.customer_type, 'unknown') as segment,
        count(case when facility_months.status in ('active', 'restructured') then 1 end) as facilities,
        sum(facility_months.balance) as balance,
        sum(case when facility_months.dpd > 0 then facility_months.balance else 0 end) as overdue_balance,
        sum(
            case
                when facility_months.class5 in ('substandard', 'doubtful', 'loss') then facility_months.balance
                else 0
            end
        ) as npl_balance,
        count(case when facility_months.is_default and not facility_months.was_default then 1 end) as new_defaults,
        count(case when facility_months.was_default and not facility_months.is_default then 1 end) as cures,
        count(case when facility_months.status = 'written_off' then 1 end) as write_offs
    from facility_months
    left join customers on facility_months.customer_id = customers.customer_id
    group by facility_months.month_end, facility_months.product_id, coalesce(customers.customer_type, 'unknown')
)

select
    {{ book() }} as book,
    month,
    product_id,
    segment,
    facilities,
    cast(balance as numeric(18, 2)) as balance,
    cast(overdue_balance as numeric(18, 2)) as overdue_balance,
    cast(npl_balance as numeric(18, 2)) as npl_balance,
    cast(overdue_balance / nullif(balance, 0) as double precision) as overdue_ratio,
    cast(npl_balance / nullif(balance, 0) as double precision) as npl_ratio,
    new_defaults,
    cures,
    write_offs,
    cast(null as numeric(18, 2)) as expected_loss
from summed
