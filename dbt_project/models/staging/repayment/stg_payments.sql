with versions as (
    {{ known_versions(source('raw', 'payments'), ['payment_id']) }}
)

select
    payment_id,
    facility_id,
    {{ surrogate_key('facility_id') }} as facility_key,
    due_item_id,
    reverses_payment_id,
    value_date,
    {{ to_cents('amount') }} as amount_cents,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
where value_date <= {{ as_of() }}
