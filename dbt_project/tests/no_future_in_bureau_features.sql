-- The report that a feature rests on was pulled and learnt by the end of its observation date (domain.md#bureau-report).
with features as (
    select
        customer_id,
        observation_date,
        bureau_report_on
    from {{ ref('feat_bureau') }}
    where book = {{ book() }}
),

reports as (
    select
        customer_id,
        pulled_on,
        min(known_from) as known_from
    from {{ ref('int_bureau_report') }}
    where book = {{ book() }}
    group by customer_id, pulled_on
)

select
    features.customer_id,
    features.observation_date,
    features.bureau_report_on,
    reports.known_from
from features
left join reports
    on
        features.customer_id = reports.customer_id
        and features.bureau_report_on = reports.pulled_on
where
    features.bureau_report_on is not null
    and not coalesce(
        features.bureau_report_on <= features.observation_date
        and reports.known_from < {{ end_of_day('features.observation_date') }},
        false
    )
