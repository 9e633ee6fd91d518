with versions as (
    {{ known_versions(source('raw', 'bureau_tradelines'), ['report_id', 'tradeline_id']) }}
)

select
    report_id,
    tradeline_id,
    lender_type,
    kind,
    opened_on,
    closed_on,
    limit_amount,
    balance,
    overdue_amount,
    status_now,
    worst_status_24m,
    guarantee,
    history,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
