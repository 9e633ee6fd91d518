select
    {{ book() }} as book,
    origination_month,
    product_id,
    mob,
    facilities,
    original_amount,
    ever_30_rate,
    ever_90_rate,
    ever_90_amount_rate
from {{ ref('fct_vintage') }}
where book = {{ book() }}
