select
    {{ book() }} as book,
    month,
    product_id,
    from_bucket,
    to_bucket,
    facilities,
    balance,
    rate_by_count,
    rate_by_balance
from {{ ref('fct_roll_rate') }}
where
    book = {{ book() }}
    and month <= {{ as_of() }}
