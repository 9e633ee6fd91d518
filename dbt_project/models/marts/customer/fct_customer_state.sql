with customers as (
    select *
    from {{ ref('dim_customer') }}
    where book = {{ book() }}
),

-- What the customer owes on, may draw on, or left unpaid for good.
standings as (
    select *
    from {{ ref('fct_facility_standing') }}
    where
        book = {{ book() }}
        and status <> 'closed'
),

facilities as (
    select *
    from {{ ref('dim_facility') }}
    where book = {{ book() }}
),

ranked as (
    select
        standings.*,
        {{ class_rank('standings.class5') }} as class_rank,
        coalesce(facilities.credit_limit, 0) > 0 and standings.may_draw as has_line,
        row_number() over (
            partition by standings.customer_id
            order by
                {{ class_rank('standings.class5') }} desc,
                case standings.class_reason
                    when 'written_off' then 1
                    when 'days' then 2
                    when 'manual' then 3
                    when 'upgrade_wait' then 4
                    when 'contagion_here' then 5
                    else 6
                end,
                standings.facility_id
        ) as worst_class,
        row_number() over (
            partition by standings.customer_id, standings.is_default
            order by standings.default_on, standings.facility_id
        ) as first_default
    from standings
    inner join facilities on standings.facility_id = facilities.facility_id
),

by_customer as (
    select
        customer_id,
        count(case when is_open then 1 end) as open_facilities,
        count(case when is_default then 1 end) as facilities_in_default,
        count(case when is_open and not is_default then 1 end) as open_not_in_default,
        max(case when is_open and (balance > 0 or overdue_amount > 0) then 1 else 0 end) as owes,
        max(case when has_line then 1 else 0 end) as may_draw,
        max(class_rank) as class_rank,
        max(case when worst_class = 1 then class_reason end) as class_reason,
        max(case when is_default and first_default = 1 then default_on end) as default_on,
        max(case when is_default and first_default = 1 then default_reason end) as default_reason
    from ranked
    group by customer_id
)

-- A firm is in default by any facility. A person's default is the facility's; the person is in default where it pulled
-- whatever else is open (fct_default), or where nothing else is.
select
    {{ book() }} as book,
    {{ as_of() }} as as_of_date,
    customers.customer_id,
    customers.customer_type,
    cast(coalesce(by_customer.open_facilities, 0) as integer) as open_facilities,
    cast(coalesce(by_customer.facilities_in_default, 0) as integer) as facilities_in_default,
    coalesce(by_customer.owes, 0) = 1 as owes,
    coalesce(by_customer.may_draw, 0) = 1 as may_draw,
    coalesce(by_customer.facilities_in_default, 0) > 0
    and (
        by_customer.open_not_in_default = 0
        or (customers.customer_type = 'corporate' and '{{ var("default_level_corporate") }}' = 'obligor')
    ) as is_default,
    by_customer.default_on,
    by_customer.default_reason,
    case when by_customer.class_rank is not null then {{ class_of_rank('by_customer.class_rank') }} end as class5,
    by_customer.class_reason
from customers
left join by_customer on customers.customer_id = by_customer.customer_id
