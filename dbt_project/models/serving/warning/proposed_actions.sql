select
    {{ book() }} as book,
    action_id,
    customer_id,
    warning_id,
    kind,
    cast(amount as numeric(18, 2)) as amount,
    status,
    proposed_on,
    decided_by,
    decided_at,
    reason
from {{ action_states() }}
where
    status in ('proposed', 'approved')
    or changed_on > {{ days_after(as_of(), -92) }}
