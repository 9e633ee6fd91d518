with versions as (
    {{ known_versions(source('raw', 'customers'), ['customer_id', 'effective_date']) }}
),

latest as (
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
        row_number() over (partition by customer_id order by effective_date desc) as newest
    from versions
    where
        is_latest
        and effective_date <= {{ as_of() }}
)

select *
from latest
where newest <= 1
