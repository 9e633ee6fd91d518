with versions as (
    {{ known_versions(source('raw', 'facility_snapshots'), ['facility_id', 'month_end']) }}
)

select
    facility_id,
    {{ surrogate_key('facility_id') }} as facility_key,
    month_end,
    {{ to_cents('balance') }} as balance_cents,
    {{ to_cents('credit_limit') }} as credit_limit_cents,
    {{ to_cents('amount_paid') }} as paid_cents,
    dpd,
    months_past_due,
    status,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
where month_end <= {{ as_of() }}
