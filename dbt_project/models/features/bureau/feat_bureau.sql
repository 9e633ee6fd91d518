with facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

reports as (
    select *
    from {{ ref('int_bureau_report') }}
    where book = {{ book() }}
),

observations as (
    select distinct
        customer_id,
        month_end as observation_date
    from facility_months
),

known as (
    select
        observations.observation_date,
        reports.*,
        row_number() over (
            partition by reports.customer_id, observations.observation_date
            order by reports.pulled_on desc, reports.report_id desc
        ) as newest
    from observations
    inner join reports
        on
            observations.customer_id = reports.customer_id
            and observations.observation_date >= reports.pulled_on
            and {{ days_between('reports.pulled_on', 'observations.observation_date') }}
            <= {{ var('bureau_report_max_age_days') }}
            and {{ known_at_end_of('reports', 'observations.observation_date') }}
)

select
    {{ book() }} as book,
    observations.customer_id,
    observations.observation_date,
    coalesce(known.hit, false) as bureau_hit,
    known.pulled_on as bureau_report_on,
    {% for name in bureau_columns() %}
    case when known.hit then known.{{ name }} end as {{ name }}{{ ',' if not loop.last }}
    {% endfor %}
from observations
left join known
    on
        observations.customer_id = known.customer_id
        and observations.observation_date = known.observation_date
        and known.newest <= 1
