with versions as (
    {{ known_versions(source('raw', 'bureau_reports'), ['report_id']) }}
)

select
    report_id,
    customer_id,
    bureau,
    pulled_on,
    hit,
    bureau_score,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
where pulled_on <= {{ as_of() }}
