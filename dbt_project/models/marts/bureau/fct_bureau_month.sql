with reports as (
    select *
    from {{ ref('int_bureau_report') }}
    where book = {{ book() }}
),

month_ends as (
    select distinct month_end
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

known as (
    select
        month_ends.month_end,
        reports.*,
        row_number() over (
            partition by reports.customer_id, month_ends.month_end
            order by reports.pulled_on desc, reports.report_id desc
        ) as newest
    from month_ends
    inner join reports
        on
            month_ends.month_end >= reports.pulled_on
            and {{ days_between('reports.pulled_on', 'month_ends.month_end') }}
            <= {{ var('bureau_report_max_age_days') }}
            and {{ known_at_end_of('reports', 'month_ends.month_end') }}
)

select
    {{ book() }} as book,
    customer_id,
    month_end as observation_date,
    coalesce(hit, false) as bureau_hit,
    pulled_on as bureau_report_on,
    {% for name in bureau_columns() %}
    case when hit then {{ name }} end as {{ name }}{{ ',' if not loop.last }}
    {% endfor %}
from known
where newest <= 1
