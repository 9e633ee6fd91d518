with versions as (
    {{ known_versions(source('raw', 'customers'), ['customer_id', 'effective_date']) }}
)

select
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
    coalesce(is_staff, false) as is_staff,
    effective_date,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
