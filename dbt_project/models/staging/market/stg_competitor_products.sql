with versions as (
    {{ known_versions(source('raw', 'competitor_products'), ['competitor', 'product_type', 'observed_on']) }}
)

select
    competitor,
    product_type,
    annual_rate,
    max_amount,
    max_term_months,
    observed_on
from versions
where
    is_latest
    and observed_on <= {{ as_of() }}
