with customers as (
    select * from {{ ref('stg_customers') }}
),

groups as (
    select *
    from {{ ref('dim_group') }}
    where book = {{ book() }}
)

select
    {{ book() }} as book,
    customers.customer_id,
    customers.customer_type,
    customers.sex,
    customers.birth_year,
    customers.region,
    customers.industry,
    customers.group_id,
    coalesce(groups.top_group_id, customers.group_id) as top_group_id,
    customers.registered_on,
    customers.monthly_income,
    customers.employees,
    customers.is_staff
from customers
left join groups on customers.group_id = groups.group_id
