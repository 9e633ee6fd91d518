with versions as (
    {{ known_versions(source('raw', 'collection_actions'), ['action_id']) }}
)

select
    action_id,
    customer_id,
    facility_id,
    acted_at,
    cast(acted_at at time zone '{{ var("time_zone") }}' as date) as acted_on,
    action,
    result,
    collector,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
where acted_at < {{ end_of_day(as_of()) }}
