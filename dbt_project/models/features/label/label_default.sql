with facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

customers as (
    select *
    from {{ ref('dim_customer') }}
    where book = {{ book() }}
),

episodes as (
    select *
    from {{ ref('fct_default') }}
    where book = {{ book() }}
),

facilities as (
    select *
    from {{ ref('dim_facility') }}
    where book = {{ book() }}
),

outcomes as (
    select * from {{ ref('stg_outcomes') }}
),

customer_months as (
    select
        customer_id,
        month_end,
        {{ month_index('month_end') }} as month_no,
        max(dpd) as dpd,
        max(mob) as months_on_book,
        max(case when is_default then 1 else 0 end) as is_default,
        count(case when {{ is_open('status') }} then 1 end) as active_facilities,
        count(case when status = 'written_off' then 1 end) as written_off_facilities
    from facility_months
    group by customer_id, month_end
),

-- The window starts the day after the observation and ends with the month end n months later.
windows as (
    select
        customer_months.*,
        {{ month_end(months_after('customer_months.month_end', var('performance_window_months'))) }} as window_ends_on,
        max(dpd) over window_months as worst_dpd,
        max(is_default) over window_months as defaults_at_a_month_end
    from customer_months
    window window_months as (
        partition by customer_id
        order by month_no
        range between 1 following and {{ var('performance_window_months') }} following
    )
),

defaulted as (
    select distinct
        windows.customer_id,
        windows.month_end
    from windows
    inner join episodes
        on
            windows.customer_id = episodes.customer_id
            and windows.month_end < episodes.default_on
            and windows.window_ends_on >= episodes.default_on
),

-- A default outlives the facility only where it was written off.
in_default as (
    select distinct
        windows.customer_id,
        windows.month_end
    from windows
    inner join episodes
        on
            windows.customer_id = episodes.customer_id
            and windows.month_end >= episodes.default_on
            and windows.month_end < episodes.until_on
    inner join facilities on episodes.facility_id = facilities.facility_id
    where
        facilities.status <> 'closed'
        or facilities.closed_on > windows.month_end
),

from_panel as (
    select
        windows.customer_id,
        windows.month_end as observation_date,
        windows.window_ends_on <= {{ as_of() }} as window_complete,
        defaulted.customer_id is not null or coalesce(windows.defaults_at_a_month_end, 0) = 1 as bad,
        windows.worst_dpd,
        case
            when
                windows.active_facilities > 0
                and (windows.is_default = 1 or in_default.customer_id is not null) then 'in_default'
            when windows.active_facilities = 0 and windows.written_off_facilities > 0 then 'written_off'
            when windows.active_facilities = 0 then 'closed'
            when coalesce(customers.is_staff, false) then 'staff'
            when windows.months_on_book < 3 then 'under_3_mob'
        end as exclusion
    from windows
    left join customers on windows.customer_id = customers.customer_id
    left join defaulted
        on
            windows.customer_id = defaulted.customer_id
            and windows.month_end = defaulted.month_end
    left join in_default
        on
            windows.customer_id = in_default.customer_id
            and windows.month_end = in_default.month_end
),

final as (
    select
        customer_id,
        observed_on as observation_date,
        true as window_complete,
        is_default as bad,
        cast(null as integer) as worst_dpd,
        case when is_default then 'bad' else 'good' end as label,
        cast(null as text) as exclusion,
        'outcomes' as source
    from outcomes
    union all
    select
        from_panel.customer_id,
        from_panel.observation_date,
        from_panel.window_complete,
        from_panel.bad,
        from_panel.worst_dpd,
        case
            when not from_panel.window_complete then null
            when from_panel.bad then 'bad'
            when from_panel.worst_dpd > 30 then 'indeterminate'
            else 'good'
        end as label,
        from_panel.exclusion,
        'panel' as source
    from from_panel
    left join outcomes
        on
            from_panel.customer_id = outcomes.customer_id
            and from_panel.observation_date = outcomes.observed_on
    where outcomes.customer_id is null
)

select
    {{ book() }} as book,
    customer_id,
    observation_date,
    {{ var('performance_window_months') }} as window_months,
    window_complete,
    bad,
    worst_dpd,
    label,
    exclusion,
    source
from final
