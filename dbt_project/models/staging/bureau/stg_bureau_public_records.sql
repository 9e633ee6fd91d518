with versions as (
    {{ known_versions(source('raw', 'bureau_public_records'), ['report_id', 'record_id']) }}
)

select
    report_id,
    record_id,
    kind,
    recorded_on,
    amount,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
