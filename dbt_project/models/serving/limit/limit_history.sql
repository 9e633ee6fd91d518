select
    {{ book() }} as book,
    decision_no,
    customer_id,
    product_id,
    as_of_date as recommended_on,
    decision,
    limit_before,
    limit_after,
    terms_before,
    terms_after,
    valid_from,
    valid_to,
    approver,
    reason,
    policy_version,
    decided_at
from {{ source('actions', 'limit_decisions') }}
where
    book = {{ book() }}
    and valid_from <= {{ as_of() }}
