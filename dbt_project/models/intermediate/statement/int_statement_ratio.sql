with statements as (
    select
        *,
        row_number() over (order by customer_id, period_end, published_on, version_no) as version_key,
        greatest(known_from, {{ end_of_day(days_after('published_on', -1)) }}) as seen_from,
        {{ month_index('period_end') }} as period_no,
        coalesce(gross_profit, revenue - cost_of_sales) as gross_margin_amount
    from {{ ref('stg_statements') }}
),

-- What makes twelve months of a shorter period: the last full year, and the same months of that year.
companions as (
    select
        statements.version_key,
        others.version_key as companion_key,
        case when others.months = 12 then 'full_year' else 'same_months' end as part,
        others.published_on,
        others.seen_from,
        others.known_until
    from statements
    inner join statements as others
        on
            statements.customer_id = others.customer_id
            and (
                (others.months = 12 and statements.period_no - others.period_no = statements.months)
                or (others.months = statements.months and statements.period_no - others.period_no = 12)
            )
    where statements.months < 12
),

-- The twelve months of a version change when one of these is learnt or superseded while it is in force.
moments as (
    select
        version_key,
        known_from as changes_at
    from statements
    union
    select
        version_key,
        seen_from as changes_at
    from companions
    union
    select
        version_key,
        known_until as changes_at
    from companions
    where known_until is not null
),

spells as (
    select
        statements.version_key,
        moments.changes_at,
        lead(moments.changes_at, 1, statements.known_until) over (
            partition by statements.version_key order by moments.changes_at
        ) as changes_next_at
    from statements
    inner join moments
        on
            statements.version_key = moments.version_key
            and moments.changes_at is not distinct from greatest(moments.changes_at, statements.known_from)
            and (statements.known_until is null or moments.changes_at < statements.known_until)
),

parts as (
    select
        spells.version_key,
        spells.changes_at,
        companions.part,
        companions.companion_key,
        row_number() over (
            partition by spells.version_key, spells.changes_at, companions.part
            order by companions.published_on desc, companions.companion_key
        ) as newest
    from spells
    inner join companions
        on
            spells.version_key = companions.version_key
            and spells.changes_at >= companions.seen_from
            and (companions.known_until is null or spells.changes_at < companions.known_until)
),

twelve_months as (
    select
        statements.*,
        spells.changes_at,
        spells.changes_next_at,
        statements.months < 12 and (full_year.version_key is null or same_months.version_key is null) as is_annualised,
        {% for flow in statement_flows() %}
        {{ trailing_flow(flow) }} as {{ flow }}_12m{{ ',' if not loop.last }}
        {% endfor %}
    from spells
    inner join statements on spells.version_key = statements.version_key
    left join parts as year_part
        on
            spells.version_key = year_part.version_key
            and spells.changes_at = year_part.changes_at
            and year_part.part = 'full_year'
            and year_part.newest <= 1
    left join statements as full_year on year_part.companion_key = full_year.version_key
    left join parts as months_part
        on
            spells.version_key = months_part.version_key
            and spells.changes_at = months_part.changes_at
            and months_part.part = 'same_months'
            and months_part.newest <= 1
    left join statements as same_months on months_part.companion_key = same_months.version_key
),

ratios as (
    select
        *,
        {{ ratio('current_assets', 'current_liabilities') }} as current_ratio,
        {{ ratio('(current_assets - inventory)', 'current_liabilities') }} as quick_ratio,
        {{ ratio('cash', 'current_liabilities') }} as cash_ratio,
        {{ ratio('total_liabilities', 'total_assets') }} as debt_to_assets,
        {{ ratio('total_liabilities', 'equity') }} as debt_to_equity,
        {{ ratio('ebit_12m', 'interest_expense_12m') }} as interest_cover,
        {{ ratio('(ebit_12m + depreciation_12m)', '(interest_expense_12m + short_term_debt)') }} as dscr,
        {{ ratio('gross_margin_amount_12m', 'revenue_12m') }} as gross_margin,
        {{ ratio('operating_profit_12m', 'revenue_12m') }} as operating_margin,
        {{ ratio('net_profit_12m', 'revenue_12m') }} as net_margin,
        {{ ratio('net_profit_12m', 'total_assets') }} as roa,
        {{ ratio('net_profit_12m', 'equity') }} as roe,
        {{ ratio('revenue_12m', 'total_assets') }} as asset_turnover,
        {{ ratio('total_assets', 'equity') }} as equity_multiplier,
        365 * {{ ratio('receivables', 'revenue_12m') }} as receivable_days,
        365 * {{ ratio('inventory', 'cost_of_sales_12m') }} as inventory_days,
        365 * {{ ratio('payables', 'cost_of_sales_12m') }} as payable_days,
        {{ ratio('cfo_12m', '(short_term_debt + long_term_debt)') }} as cfo_to_debt,
        {{ ratio('cfo_12m', 'net_profit_12m') }} as cfo_to_net_profit,
        {{ ratio('(net_profit_12m - cfo_12m)', 'total_assets') }} as accruals,
        {{ altman_z() }} as z_score,
        {{ altman_z1() }} as z1_score,
        {{ altman_z2() }} as z2_score,
        total_assets - total_liabilities - equity as balance_difference,
        cfo + cfi + cff - net_change_in_cash as cash_difference,
        abs(cfo) + abs(cfi) + abs(cff) as cash_flow_volume
    from twelve_months
)

select
    {{ book() }} as book,
    customer_id,
    period_end,
    published_on,
    cast(version_no as integer) as version_no,
    changes_at as known_from,
    changes_next_at as known_until,
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
    {% for name in told_flows() %}
    {{ name }}_12m,
    {% endfor %}
    is_annualised,
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
