with latest as (
    select
        *,
        row_number() over (partition by customer_id order by effective_date desc) as newest
    from {{ ref('base_customers') }}
    where
        is_latest
        and effective_date <= {{ as_of() }}
)

select *
from latest
where newest <= 1
