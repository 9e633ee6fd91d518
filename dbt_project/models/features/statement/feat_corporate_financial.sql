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

stated as (
    select *
    from {{ ref('fct_statement_month') }}
    where book = {{ book() }}
),

observations as (
    select distinct
        facility_months.customer_id,
        facility_months.month_end as observation_date
    from facility_months
    inner join customers on facility_months.customer_id = customers.customer_id
)

select
    {{ book() }} as book,
    observations.customer_id,
    observations.observation_date,
    stated.statement_period_end,
    stated.statement_published_on,
    stated.statement_age_months,
    stated.statement_months,
    stated.audited,
    stated.opinion,
    stated.total_assets,
    stated.revenue,
    {% for name in ratio_columns() %}
    stated.{{ name }},
    {% endfor %}
    stated.z2_zone,
    stated.sales_growth_yoy,
    stated.net_profit_growth_yoy,
    stated.assets_growth_yoy
from observations
left join stated
    on
        observations.customer_id = stated.customer_id
        and observations.observation_date = stated.observation_date
