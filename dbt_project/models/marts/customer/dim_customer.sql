with customers as (
    select * from {{ ref('stg_customers') }}
)

select
    {{ book() }} as book,
    customer_id,
    customer_type,
    sex,
    birth_year,
    region,
    industry,
    group_id,
    registered_on,
    monthly_income,
    employees,
    is_staff
from customers
