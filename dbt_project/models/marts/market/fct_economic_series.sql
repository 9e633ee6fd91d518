with series as (
    select *
    from {{ ref('stg_economic_series') }}
    where is_latest
)

select
    {{ book() }} as book,
    kind,
    series_id,
    industry,
    period,
    cast(value as double precision) as value,
    published_on
from series
