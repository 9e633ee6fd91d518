with customers as (
    select *
    from {{ ref('dim_customer') }}
    where
        book = {{ book() }}
        and customer_type = 'corporate'
),

facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

statements as (
    select *
    from {{ ref('int_statement_ratio') }}
    where book = {{ book() }}
),

observations as (
    select distinct
        facility_months.customer_id,
        facility_months.month_end as observation_date
    from facility_months
    inner join customers on facility_months.customer_id = customers.customer_id
),

-- The statements of three years that were published and known at the end of the observation date.
known as (
    select
        observations.observation_date,
        statements.*,
        row_number() over (
            partition by statements.customer_id, observations.observation_date, statements.period_end
            order by statements.published_on desc
        ) as newest
    from observations
    inner join statements
        on
            observations.customer_id = statements.customer_id
            and observations.observation_date >= statements.published_on
            and {{ known_at_end_of('statements', 'observations.observation_date') }}
            and statements.period_end > {{ month_end_before('observations.observation_date', 36) }}
),

periods as (
    select
        *,
        row_number() over (partition by customer_id, observation_date order by period_end desc) as period_no
    from known
    where newest <= 1
),

final as (
    select
        observations.customer_id,
        observations.observation_date,
        latest.period_end as statement_period_end,
        latest.published_on as statement_published_on,
        {{ month_index('observations.observation_date') }} - {{ month_index('latest.period_end') }} as statement_age_months,
        latest.months as statement_months,
        latest.audited,
        latest.opinion,
        latest.total_assets,
        latest.revenue,
        {% for name in ratio_columns() %}
        latest.{{ name }},
        {% endfor %}
        {{ z_zone('latest.z2_score', 1.10, 2.60) }} as z2_zone,
        {{ growth('latest.revenue', 'year_before.revenue') }} as sales_growth_yoy,
        {{ growth('latest.net_profit', 'year_before.net_profit') }} as net_profit_growth_yoy,
        {{ growth('latest.total_assets', 'year_before.total_assets') }} as assets_growth_yoy
    from observations
    left join periods as latest
        on
            observations.customer_id = latest.customer_id
            and observations.observation_date = latest.observation_date
            and latest.period_no <= 1
    left join periods as year_before
        on
            latest.customer_id = year_before.customer_id
            and latest.observation_date = year_before.observation_date
            and latest.months = year_before.months
            and year_before.period_end = {{ month_end_before('latest.period_end', 12) }}
)

select
    {{ book() }} as book,
    *
from final
