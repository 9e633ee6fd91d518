{{ config(follows='facility', indexed=['facility_key']) }}

with due_items as (
    select *
    from {{ ref('stg_due_items') }}
    where {{ in_scope('facility_key') }}
),

payments as (
    select *
    from {{ ref('stg_payments') }}
    where {{ in_scope('facility_key') }}
),

snapshots as (
    select *
    from {{ ref('stg_facility_snapshots') }}
    where {{ in_scope('facility_id') }}
),

facilities as (
    select *
    from {{ ref('stg_facilities') }}
    where {{ in_scope('facility_id') }}
),

current_facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

{{ late_rows_cte('due_items', 'due_items', 'effective_on', 'due_item') }},

{{ late_rows_cte('payments', 'payments', 'value_date', 'payment') }},

{{ late_rows_cte('snapshots', 'snapshots', 'month_end', 'snapshot') }},

{{ late_rows_cte('facilities', 'facilities', 'effective_date', 'facility') }},

late as (
    select * from due_items_late
    union all
    select * from payments_late
    union all
    select * from snapshots_late
    union all
    select * from facilities_late
),

months as (
    select *
    from {{ month_ends('(select min(late.first_month_end) from late)') }} as calendar
),

observations as (
    select
        late.facility_key,
        months.month_end,
        string_agg(distinct late.cause, ', ' order by late.cause) as causes,
        max(late.learnt_at) as learnt_at
    from late
    inner join months
        on
            months.month_end >= late.first_month_end
            and {{ end_of_day('months.month_end') }} <= late.learnt_at
    group by late.facility_key, months.month_end
)

select
    {{ book() }} as book,
    current_facilities.facility_id,
    observations.facility_key,
    current_facilities.customer_id,
    observations.month_end as observation_date,
    observations.causes,
    observations.learnt_at
from observations
inner join current_facilities on observations.facility_key = current_facilities.facility_key
