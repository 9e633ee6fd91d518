{{ config(follows='month', indexed=['month']) }}

with facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and {{ in_month_scope('month_end') }}
),

customers as (
    select *
    from {{ ref('dim_customer') }}
    where book = {{ book() }}
),

facilities as (
    select
        facilities.facility_id,
        facilities.product_id,
        delinquency.left_on
    from {{ ref('int_facility') }} as facilities
    inner join {{ ref('int_facility_delinquency') }} as delinquency
        on
            facilities.facility_key = delinquency.facility_key
            and delinquency.book = {{ book() }}
    where facilities.book = {{ book() }}
),

-- A default that goes on with the next holder of a facility is the same one.
defaults as (
    select
        facility_id,
        customer_id,
        default_on,
        until_on,
        lag(until_on) over facility as until_on_before,
        lead(default_on) over facility as default_on_after
    from {{ ref('fct_default') }}
    where book = {{ book() }}
    window facility as (partition by facility_id order by default_on, until_on, customer_id)
),

last_months as (
    select max(month_end) as month_end
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

-- By the days on which defaults begin and end, so that one which does both between two month ends counts as well.
turns as (
    select
        facility_id,
        customer_id,
        {{ month_end('default_on') }} as month,
        1 as new_defaults,
        0 as cures
    from defaults
    where
        until_on_before is null
        or until_on_before < default_on
    union all
    select
        defaults.facility_id,
        defaults.customer_id,
        {{ month_end('defaults.until_on') }} as month,
        0 as new_defaults,
        1 as cures
    from defaults
    inner join facilities on defaults.facility_id = facilities.facility_id
    where
        defaults.until_on <= {{ as_of() }}
        and defaults.until_on < coalesce(facilities.left_on, {{ end_of_time() }})
        and (defaults.default_on_after is null or defaults.default_on_after > defaults.until_on)
),

states as (
    select
        month_end as month,
        product_id,
        customer_id,
        case when {{ is_open('status') }} then 1 else 0 end as facilities,
        balance,
        case when dpd > 0 then balance else 0 end as overdue_balance,
        case when class5 in ('substandard', 'doubtful', 'loss') then balance else 0 end as npl_balance,
        interest_due,
        0 as new_defaults,
        0 as cures,
        case when status = 'written_off' then 1 else 0 end as write_offs
    from facility_months
    union all
    select
        turns.month,
        facilities.product_id,
        turns.customer_id,
        0,
        0,
        0,
        0,
        null,
        turns.new_defaults,
        turns.cures,
        0
    from turns
    inner join facilities on turns.facility_id = facilities.facility_id
    inner join last_months on turns.month <= last_months.month_end
    where {{ in_month_scope('turns.month') }}
),

summed as (
    select
        states.month,
        states.product_id,
        coalesce(customers.customer_type, 'unknown') as segment,
        sum(states.facilities) as facilities,
        sum(states.balance) as balance,
        sum(states.overdue_balance) as overdue_balance,
        sum(states.npl_balance) as npl_balance,
        sum(states.interest_due) as interest_due,
        sum(states.new_defaults) as new_defaults,
        sum(states.cures) as cures,
        sum(states.write_offs) as write_offs
    from states
    left join customers on states.customer_id = customers.customer_id
    group by states.month, states.product_id, coalesce(customers.customer_type, 'unknown')
)

select
    {{ book() }} as book,
    month,
    product_id,
    segment,
    facilities,
    cast(balance as numeric(18, 2)) as balance,
    cast(overdue_balance as numeric(18, 2)) as overdue_balance,
    cast(npl_balance as numeric(18, 2)) as npl_balance,
    cast(overdue_balance / nullif(balance, 0) as double precision) as overdue_ratio,
    cast(npl_balance / nullif(balance, 0) as double precision) as npl_ratio,
    cast(interest_due as numeric(18, 2)) as interest_due,
    new_defaults,
    cures,
    write_offs,
    cast(null as numeric(18, 2)) as expected_loss
from summed
