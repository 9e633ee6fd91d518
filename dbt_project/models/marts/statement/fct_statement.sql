with statements as (
    select
        *,
        row_number() over (partition by customer_id, period_end order by published_on desc) as newest
    from {{ ref('int_statement_ratio') }}
    where
        book = {{ book() }}
        and known_until is null
),

current_statements as (
    select *
    from statements
    where newest <= 1
)

select
    {{ book() }} as book,
    latest.customer_id,
    latest.period_end,
    latest.published_on,
    latest.months,
    latest.currency,
    latest.audited,
    latest.opinion,
    latest.total_assets,
    latest.total_liabilities,
    latest.equity,
    latest.revenue,
    latest.net_profit,
    latest.ebit,
    latest.cfo,
    {% for name in told_flows() %}
    latest.{{ name }}_12m,
    {% endfor %}
    latest.is_annualised,
    {% for name in ratio_columns() %}
    latest.{{ name }},
    {% endfor %}
    {{ z_zone('latest.z_score', 1.81, 2.99) }} as z_zone,
    {{ z_zone('latest.z1_score', 1.23, 2.90) }} as z1_zone,
    {{ z2_zone('latest.z2_score') }} as z2_zone,
    {{ growth('latest.revenue', 'year_before.revenue') }} as sales_growth_yoy,
    {{ growth('latest.net_profit', 'year_before.net_profit') }} as net_profit_growth_yoy,
    {{ growth('latest.total_assets', 'year_before.total_assets') }} as assets_growth_yoy,
    latest.is_unbalanced,
    latest.is_cash_unreconciled
from current_statements as latest
left join current_statements as year_before
    on
        latest.customer_id = year_before.customer_id
        and latest.months = year_before.months
        and year_before.period_end = {{ month_end_before('latest.period_end', 12) }}
