with industry_versions as (
    {{ known_versions(source('raw', 'industry_series'), ['series_id', 'period', 'published_on']) }}
),

macro_versions as (
    {{ known_versions(source('raw', 'macro_series'), ['series_id', 'period', 'published_on']) }}
),

together as (
    select
        'industry' as kind,
        *
    from industry_versions
    union all
    select
        'macro' as kind,
        *
    from macro_versions
)

select
    kind,
    series_id,
    industry,
    period,
    value,
    published_on,
    known_from,
    known_until,
    version_no,
    is_latest
from together
where published_on <= {{ as_of() }}
