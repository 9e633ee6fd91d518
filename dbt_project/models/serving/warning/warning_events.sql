select
    {{ book() }} as book,
    warning_id,
    event_at,
    event,
    actor,
    reason
from {{ source('actions', 'warning_events') }}
where
    book = {{ book() }}
    and as_of_date <= {{ as_of() }}
