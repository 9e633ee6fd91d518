with versions as (
    {{ known_versions(source('raw', 'due_items'), ['due_item_id']) }}
)

select
    due_item_id,
    facility_id,
    {{ surrogate_key('facility_id') }} as facility_key,
    kind,
    issued_on,
    due_date,
    coalesce(issued_on, due_date) as effective_on,
    {{ to_cents('amount_due') }} as amount_cents,
    {{ to_cents('principal') }} as principal_cents,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
