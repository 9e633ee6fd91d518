with facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

reported as (
    select *
    from {{ ref('fct_bureau_month') }}
    where book = {{ book() }}
),

observations as (
    select distinct
        customer_id,
        month_end as observation_date
    from facility_months
)

select
    {{ book() }} as book,
    observations.customer_id,
    observations.observation_date,
    coalesce(reported.bureau_hit, false) as bureau_hit,
    reported.bureau_report_on,
    {% for name in bureau_columns() %}
    reported.{{ name }}{{ ',' if not loop.last }}
    {% endfor %}
from observations
left join reported
    on
        observations.customer_id = reported.customer_id
        and observations.observation_date = reported.observation_date
