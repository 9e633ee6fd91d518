with versions as (
    {{ known_versions(source('raw', 'facilities'), ['facility_id', 'effective_date']) }}
)

select
    facility_id,
    {{ surrogate_key('facility_id') }} as facility_key,
    effective_date,
    customer_id,
    product_id,
    partner_id,
    application_id,
    opened_on,
    closed_on,
    currency,
    {{ to_cents('principal') }} as principal_cents,
    {{ to_cents('credit_limit') }} as credit_limit_cents,
    secured,
    status,
    manual_class,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
where effective_date <= {{ as_of() }}
