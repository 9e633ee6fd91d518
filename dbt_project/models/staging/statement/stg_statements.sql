with versions as (
    {{ known_versions(source('raw', 'statements'), ['customer_id', 'period_end', 'published_on']) }}
)

select
    customer_id,
    period_end,
    published_on,
    months,
    currency,
    audited,
    opinion,
    cash,
    receivables,
    inventory,
    current_assets,
    total_assets,
    payables,
    current_liabilities,
    short_term_debt,
    long_term_debt,
    total_liabilities,
    retained_earnings,
    equity,
    market_value,
    revenue,
    cost_of_sales,
    gross_profit,
    operating_profit,
    ebit,
    interest_expense,
    net_profit,
    depreciation,
    cfo,
    cfi,
    cff,
    net_change_in_cash,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
where published_on <= {{ as_of() }}
