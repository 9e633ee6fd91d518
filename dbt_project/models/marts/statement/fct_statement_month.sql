with customers as (
    select *
    from {{ ref('dim_customer') }}
    where
        book = {{ book() }}
        and customer_type = 'corporate'
),

month_ends as (
    select distinct month_end
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

statements as (
    select ratios.*
    from {{ ref('int_statement_ratio') }} as ratios
    inner join customers on ratios.customer_id = customers.customer_id
    where ratios.book = {{ book() }}
),

-- The statements of three years that were published and known at each month end.
known as (
    select
        month_ends.month_end,
        statements.*,
        row_number() over (
            partition by statements.customer_id, month_ends.month_end, statements.period_end
            order by statements.published_on desc
        ) as newest
    from month_ends
    inner join statements
        on
            month_ends.month_end >= statements.published_on
            and {{ known_at_end_of('statements', 'month_ends.month_end') }}
            and statements.period_end > {{ month_end_before('month_ends.month_end', 36) }}
),

periods as (
    select
        *,
        row_number() over (partition by customer_id, month_end order by period_end desc) as period_no
    from known
    where newest <= 1
),

-- The auditor speaks of whole years: the opinion in force is that of the latest audited one.
audits as (
    select
        *,
        row_number() over (partition by customer_id, month_end order by period_end desc) as audit_no
    from periods
    where
        months = 12
        and audited
        and opinion is not null
)

select
    {{ book() }} as book,
    latest.customer_id,
    latest.month_end as observation_date,
    latest.period_end as statement_period_end,
    latest.published_on as statement_published_on,
    {{ month_index('latest.month_end') }} - {{ month_index('latest.period_end') }} as statement_age_months,
    latest.months as statement_months,
    latest.audited,
    audits.opinion,
    audits.period_end as opinion_period_end,
    audits.published_on as opinion_published_on,
    latest.total_assets,
    latest.revenue,
    {% for name in ratio_columns() %}
    latest.{{ name }},
    {% endfor %}
    {{ z2_zone('latest.z2_score') }} as z2_zone,
    {{ growth('latest.revenue', 'year_before.revenue') }} as sales_growth_yoy,
    {{ growth('latest.net_profit', 'year_before.net_profit') }} as net_profit_growth_yoy,
    {{ growth('latest.total_assets', 'year_before.total_assets') }} as assets_growth_yoy
from periods as latest
left join audits
    on
        latest.customer_id = audits.customer_id
        and latest.month_end = audits.month_end
        and audits.audit_no <= 1
left join periods as year_before
    on
        latest.customer_id = year_before.customer_id
        and latest.month_end = year_before.month_end
        and latest.months = year_before.months
        and year_before.period_end = {{ month_end_before('latest.period_end', 12) }}
where latest.period_no <= 1
