with versions as (
    {{ known_versions(source('raw', 'products'), ['product_id', 'effective_date']) }}
),

latest as (
    select
        product_id,
        name,
        product_type,
        lgd,
        ccf,
        annual_rate,
        funding_rate,
        effective_date,
        row_number() over (partition by product_id order by effective_date desc) as newest
    from versions
    where
        is_latest
        and effective_date <= {{ as_of() }}
)

select *
from latest
where newest <= 1
