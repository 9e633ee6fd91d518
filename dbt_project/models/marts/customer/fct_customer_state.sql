with customers as (
    select *
    from {{ ref('dim_customer') }}
    where book = {{ book() }}
),

facilities as (
    select *
    from {{ ref('dim_facility') }}
    where book = {{ book() }}
),

delinquency as (
    select *
    from {{ ref('int_facility_delinquency') }}
    where book = {{ book() }}
),

facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and month_end > {{ month_end_before(as_of(), 2) }}
),

episodes as (
    select *
    from {{ ref('fct_default') }}
    where
        book = {{ book() }}
        and default_on <= {{ as_of() }}
        and (cured_on is null or cured_on > {{ as_of() }})
),

last_months as (
    select
        *,
        row_number() over (partition by facility_id order by month_end desc) as newest
    from facility_months
),

-- What the customer still owes on, may draw on, or left unpaid for good.
standings as (
    select
        facilities.facility_id,
        facilities.customer_id,
        facilities.status,
        facilities.credit_limit,
        delinquency.balance,
        case
            when facilities.status = 'written_off' then 5
            else coalesce({{ class_rank('last_months.class5') }}, 1)
        end as class_rank,
        case
            when facilities.status = 'written_off' then 'written_off'
            when last_months.class5 <> 'pass' and last_months.dpd_undisputed > 0 then 'days'
            when last_months.class5 <> 'pass' then 'manual'
        end as class_reason,
        episodes.facility_id is not null
        or facilities.status = 'written_off'
        or coalesce({{ class_rank('last_months.class5') }}, 1) >= 3 as is_default,
        coalesce(episodes.default_on, facilities.closed_on, last_months.month_end) as default_on,
        coalesce(episodes.reason, 'class') as default_reason
    from facilities
    inner join delinquency on facilities.facility_id = delinquency.facility_id
    left join last_months
        on
            facilities.facility_id = last_months.facility_id
            and last_months.newest <= 1
    left join episodes on facilities.facility_id = episodes.facility_id
    where facilities.status <> 'closed'
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by class_rank desc, class_reason, facility_id
        ) as worst_class,
        row_number() over (
            partition by customer_id, is_default
            order by default_on, facility_id
        ) as first_default
    from standings
),

by_customer as (
    select
        customer_id,
        count(case when status <> 'written_off' then 1 end) as open_facilities,
        count(case when is_default then 1 end) as facilities_in_default,
        max(case when status <> 'written_off' and balance > 0 then 1 else 0 end) as owes,
        max(case when status in ('active', 'restructured') and credit_limit > 0 then 1 else 0 end) as may_draw,
        max(class_rank) as class_rank,
        max(case when worst_class = 1 then class_reason end) as class_reason,
        max(case when is_default and first_default = 1 then default_on end) as default_on,
        max(case when is_default and first_default = 1 then default_reason end) as default_reason
    from ranked
    group by customer_id
)

select
    {{ book() }} as book,
    {{ as_of() }} as as_of_date,
    customers.customer_id,
    customers.customer_type,
    cast(coalesce(by_customer.open_facilities, 0) as integer) as open_facilities,
    cast(coalesce(by_customer.facilities_in_default, 0) as integer) as facilities_in_default,
    coalesce(by_customer.owes, 0) = 1 as owes,
    coalesce(by_customer.may_draw, 0) = 1 as may_draw,
    coalesce(by_customer.facilities_in_default, 0) > 0 as is_default,
    by_customer.default_on,
    by_customer.default_reason,
    case when by_customer.class_rank is not null then {{ class_of_rank('by_customer.class_rank') }} end as class5,
    by_customer.class_reason
from customers
left join by_customer on customers.customer_id = by_customer.customer_id
