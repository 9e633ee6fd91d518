with statements as (
    select * from {{ ref('stg_statements') }}
),

ratios as (
    select
        *,
        {{ ratio('current_assets', 'current_liabilities') }} as current_ratio,
        {{ ratio('(current_assets - inventory)', 'current_liabilities') }} as quick_ratio,
        {{ ratio('cash', 'current_liabilities') }} as cash_ratio,
        {{ ratio('total_liabilities', 'total_assets') }} as debt_to_assets,
        {{ ratio('total_liabilities', 'equity') }} as debt_to_equity,
        {{ ratio('ebit', 'interest_expense') }} as interest_cover,
        {{ ratio(annual('(ebit + depreciation)'), '(' ~ annual('interest_expense') ~ ' + short_term_debt)') }} as dscr,
        {{ ratio('coalesce(gross_profit, revenue - cost_of_sales)', 'revenue') }} as gross_margin,
        {{ ratio('operating_profit', 'revenue') }} as operating_margin,
        {{ ratio('net_profit', 'revenue') }} as net_margin,
        {{ ratio(annual('net_profit'), 'total_assets') }} as roa,
        {{ ratio(annual('net_profit'), 'equity') }} as roe,
        {{ ratio(annual('revenue'), 'total_assets') }} as asset_turnover,
        {{ ratio('total_assets', 'equity') }} as equity_multiplier,
        365 * {{ ratio('receivables', annual('revenue')) }} as receivable_days,
        365 * {{ ratio('inventory', annual('cost_of_sales')) }} as inventory_days,
        365 * {{ ratio('payables', annual('cost_of_sales')) }} as payable_days,
        {{ ratio(annual('cfo'), '(short_term_debt + long_term_debt)') }} as cfo_to_debt,
        {{ ratio('cfo', 'net_profit') }} as cfo_to_net_profit,
        {{ ratio(annual('(net_profit - cfo)'), 'total_assets') }} as accruals,
        {{ altman_z() }} as z_score,
        {{ altman_z1() }} as z1_score,
        {{ altman_z2() }} as z2_score,
        total_assets - total_liabilities - equity as balance_difference,
        cfo + cfi + cff - net_change_in_cash as cash_difference,
        abs(cfo) + abs(cfi) + abs(cff) as cash_flow_volume
    from statements
)

select
    {{ book() }} as book,
    customer_id,
    period_end,
    published_on,
    cast(version_no as integer) as version_no,
    known_from,
    known_until,
    months,
    currency,
    audited,
    opinion,
    total_assets,
    total_liabilities,
    equity,
    revenue,
    net_profit,
    ebit,
    cfo,
    {% for name in ratio_columns() %}
    {% if name == 'cash_conversion_cycle' %}receivable_days + inventory_days - payable_days as {% endif %}{{ name }},
    {% endfor %}
    cast(balance_difference as numeric(18, 2)) as balance_difference,
    cast(cash_difference as numeric(18, 2)) as cash_difference,
    cast(cash_flow_volume as numeric(18, 2)) as cash_flow_volume,
    coalesce(abs(balance_difference) > {{ var('statement_tolerance') }} * abs(total_assets), false) as is_unbalanced,
    coalesce(
        abs(cash_difference) > {{ var('statement_tolerance') }} * cash_flow_volume + 0.02, false
    ) as is_cash_unreconciled
from ratios
