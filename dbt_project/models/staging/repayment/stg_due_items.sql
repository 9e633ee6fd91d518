select
    due_item_id,
    facility_id,
    facility_key,
    kind,
    issued_on,
    due_date,
    coalesce(issued_on, due_date) as effective_on,
    amount_cents,
    principal_cents,
    known_from,
    known_until,
    version_no,
    is_latest
from {{ ref('base_due_items') }}
where book = {{ book() }}
