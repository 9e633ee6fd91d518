with episodes as (
    select *
    from {{ ref('int_default_episode') }}
    where book = {{ book() }}
)

select
    {{ book() }} as book,
    facility_id,
    customer_id,
    default_on,
    cured_on,
    reason
from episodes
