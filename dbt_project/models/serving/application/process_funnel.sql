select
    {{ book() }} as book,
    month,
    product_id,
    channel,
    stage,
    applications as count,
    conversion,
    median_hours,
    p90_hours,
    is_slowest,
    stage_no
from {{ ref('fct_process_funnel') }}
where book = {{ book() }}
