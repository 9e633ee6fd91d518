with booked as (
    select
        application.application_id,
        {{ month_end_before('facility.opened_on', -6) }} <= {{ as_of() }} as reached_6,
        {{ month_end_before('facility.opened_on', -12) }} <= {{ as_of() }} as reached_12,
        coalesce(mark.mob_90 <= 6, false) as bad_6,
        coalesce(mark.mob_90 <= 12, false) as bad_12
    from {{ ref('fct_application') }} as application
    inner join {{ ref('dim_facility') }} as facility
        on
            facility.book = {{ book() }}
            and application.facility_id = facility.facility_id
    left join {{ ref('fct_facility_mark') }} as mark
        on
            mark.book = {{ book() }}
            and application.facility_id = mark.facility_id
    where application.book = {{ book() }}
),

replayed as (
    select
        *,
        {{ month_end('applied_on') }} as month
    from {{ source('actions', 'policy_replay') }}
    where
        book = {{ book() }}
        and as_of_date = {{ as_of() }}
)

select
    {{ book() }} as book,
    replayed.policy_version,
    replayed.month,
    count(*) as applications,
    cast(count(*) filter (where replayed.decision = 'approved') as double precision) / count(*) as approval_rate,
    cast(count(*) filter (where replayed.verdict in ('override_up', 'override_down')) as double precision)
    / count(*) as override_rate,
    cast(avg(cast(booked.bad_6 as integer)) filter (where booked.reached_6) as double precision) as bad_rate_mob6,
    cast(avg(cast(booked.bad_12 as integer)) filter (where booked.reached_12) as double precision) as bad_rate_mob12,
    count(*) filter (
        where replayed.replayed_decision = 'approved' and replayed.replayed_before = 'declined'
    ) as swap_in,
    count(*) filter (
        where replayed.replayed_decision = 'declined' and replayed.replayed_before = 'approved'
    ) as swap_out
from replayed
left join booked on replayed.application_id = booked.application_id
group by replayed.policy_version, replayed.month
