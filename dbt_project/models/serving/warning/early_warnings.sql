select
    {{ book() }} as book,
    warning_id,
    customer_id,
    facility_id,
    rule_id,
    rule_version,
    severity,
    raised_on,
    last_seen_on,
    status,
    evidence,
    text_zh,
    text_en,
    recommended_response,
    escalated_on,
    first_seen_on,
    after_default
from {{ source('actions', 'warning_snapshot') }}
where
    book = {{ book() }}
    and as_of_date = {{ as_of() }}
