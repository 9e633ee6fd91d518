with applications as (
    select *
    from {{ ref('feat_retail_application') }}
    where book = {{ book() }}
),

decisions as (
    select *
    from {{ ref('fct_application') }}
    where book = {{ book() }}
),

customers as (
    select *
    from {{ ref('dim_customer') }}
    where book = {{ book() }}
),

facilities as (
    select *
    from {{ ref('dim_facility') }}
    where book = {{ book() }}
),

facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

episodes as (
    select *
    from {{ ref('fct_default') }}
    where book = {{ book() }}
),

-- The window starts the day after the observation and ends with the month end n months later.
granted as (
    select
        applications.customer_id,
        applications.observation_date,
        facilities.facility_id,
        {{ month_end(months_after('applications.observation_date', var('performance_window_months'))) }} as window_ends_on
    from applications
    inner join facilities on applications.application_id = facilities.application_id
),

months as (
    select
        granted.customer_id,
        granted.observation_date,
        max(facility_months.dpd) as worst_dpd
    from granted
    inner join facility_months
        on
            granted.facility_id = facility_months.facility_id
            and granted.observation_date < facility_months.month_end
            and granted.window_ends_on >= facility_months.month_end
    group by granted.customer_id, granted.observation_date
),

defaulted as (
    select distinct
        granted.customer_id,
        granted.observation_date
    from granted
    inner join episodes
        on
            granted.facility_id = episodes.facility_id
            and granted.window_ends_on >= episodes.default_on
),

taken_up as (
    select distinct
        customer_id,
        observation_date
    from granted
),

final as (
    select
        applications.customer_id,
        applications.observation_date,
        applications.application_id,
        {{ month_end(months_after('applications.observation_date', var('performance_window_months'))) }} <= {{ as_of() }}
            as window_complete,
        case when taken_up.customer_id is not null then defaulted.customer_id is not null end as bad,
        months.worst_dpd,
        case
            when taken_up.customer_id is not null and coalesce(customers.is_staff, false) then 'staff'
            when taken_up.customer_id is not null then null
            when decisions.decision = 'declined' then 'declined'
            else 'not_taken_up'
        end as exclusion
    from applications
    left join decisions on applications.application_id = decisions.application_id
    left join customers on applications.customer_id = customers.customer_id
    left join taken_up
        on
            applications.customer_id = taken_up.customer_id
            and applications.observation_date = taken_up.observation_date
    left join months
        on
            applications.customer_id = months.customer_id
            and applications.observation_date = months.observation_date
    left join defaulted
        on
            applications.customer_id = defaulted.customer_id
            and applications.observation_date = defaulted.observation_date
)

select
    {{ book() }} as book,
    customer_id,
    observation_date,
    application_id,
    {{ var('performance_window_months') }} as window_months,
    window_complete,
    bad,
    worst_dpd,
    case
        when not window_complete or bad is null then null
        when bad then 'bad'
        when worst_dpd > 30 then 'indeterminate'
        else 'good'
    end as label,
    exclusion,
    'panel' as source
from final
