with due_items as (
    select * from {{ ref('stg_due_items') }}
),

payments as (
    select * from {{ ref('stg_payments') }}
),

snapshots as (
    select
        *,
        facility_id || '/' || cast(month_end as text) as snapshot_id
    from {{ ref('stg_facility_snapshots') }}
),

facilities as (
    select
        *,
        facility_id || '/' || cast(effective_date as text) as version_id
    from {{ ref('stg_facilities') }}
),

current_facilities as (
    select *
    from {{ ref('int_facility') }}
    where book = {{ book() }}
),

{{ late_rows_cte('due_items', 'due_items', 'due_item_id', 'effective_on') }},

{{ late_rows_cte('payments', 'payments', 'payment_id', 'value_date') }},

{{ late_rows_cte('snapshots', 'snapshots', 'snapshot_id', 'month_end') }},

{{ late_rows_cte('facilities', 'facilities', 'version_id', 'effective_date') }},

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
    select distinct
        late.facility_key,
        months.month_end
    from late
    inner join months
        on
            months.month_end >= late.first_month_end
            and {{ end_of_day('months.month_end') }} <= late.known_from
)

select
    {{ book() }} as book,
    current_facilities.facility_id,
    observations.facility_key,
    current_facilities.customer_id,
    observations.month_end as observation_date
from observations
inner join current_facilities on observations.facility_key = current_facilities.facility_key
