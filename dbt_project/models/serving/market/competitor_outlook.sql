select
    {{ book() }} as book,
    month,
    product_type,
    competitor,
    annual_rate,
    rate_change_6m,
    rank,
    max_amount,
    max_term_months,
    own_rate,
    rate_gap,
    own_yield,
    own_balance,
    observed_on
from {{ ref('fct_competitor_month') }}
where
    book = {{ book() }}
    and month <= {{ as_of() }}
