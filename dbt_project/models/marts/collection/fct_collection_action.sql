select
    {{ book() }} as book,
    action_id,
    customer_id,
    facility_id,
    acted_on,
    action,
    result,
    collector
from {{ ref('stg_collection_actions') }}
where is_latest
