select
    {{ book() }} as book,
    application_id,
    policy_version,
    decision,
    replayed_decision,
    verdict,
    array_to_string(rules_failed, ', ') as rules_failed,
    stated_version
from {{ source('actions', 'policy_replay') }}
where
    book = {{ book() }}
    and as_of_date = {{ as_of() }}
