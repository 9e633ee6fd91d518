with versions as (
    {{ known_versions(source('raw', 'disputes'), ['dispute_id']) }}
)

select
    dispute_id,
    due_item_id,
    opened_on,
    coalesce(closed_on, cast('9999-12-31' as date)) as closed_on,
    {{ to_cents('amount') }} as amount_cents,
    outcome,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
where opened_on <= {{ as_of() }}
