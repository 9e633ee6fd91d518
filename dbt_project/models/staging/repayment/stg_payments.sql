select
    payment_id,
    facility_id,
    facility_key,
    due_item_id,
    reverses_payment_id,
    value_date,
    amount_cents,
    known_from,
    known_until,
    version_no,
    is_latest
from {{ ref('base_payments') }}
where
    book = {{ book() }}
    and value_date <= {{ as_of() }}
