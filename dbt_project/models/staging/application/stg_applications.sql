with versions as (
    {{ known_versions(source('raw', 'applications'), ['application_id', 'stage_at']) }}
)

select
    application_id,
    customer_id,
    product_id,
    partner_id,
    applied_at,
    {{ local_date('applied_at') }} as applied_on,
    requested_amount,
    term_months,
    stage,
    stage_at,
    decision_amount,
    decided_by,
    override,
    policy_version,
    reason,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
where stage_at < {{ end_of_day(as_of()) }}
