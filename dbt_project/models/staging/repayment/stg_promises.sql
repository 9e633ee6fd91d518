with versions as (
    {{ known_versions(source('raw', 'promises'), ['promise_id']) }}
)

select
    promise_id,
    facility_id,
    {{ surrogate_key('facility_id') }} as facility_key,
    promised_on,
    due_on,
    {{ to_cents('amount') }} as amount_cents,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
where promised_on <= {{ as_of() }}
