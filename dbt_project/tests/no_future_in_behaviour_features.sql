-- What a customer paid in the month before an observation that later rows changed is the sum of the payments learnt
-- by its end, counted one by one (domain.md#point-in-time). Facilities with reported states pay what their report says.
with features as (
    select *
    from {{ ref('feat_retail_behaviour') }}
    where book = {{ book() }}
),

restated as (
    select *
    from {{ ref('int_restated_observation') }}
    where book = {{ book() }}
),

restated_customers as (
    select distinct
        customer_id,
        observation_date
    from restated
),

known_then as (
    select *
    from {{ ref('int_facility_month_known_then') }}
    where
        book = {{ book() }}
        and month_end = observation_date
),

facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

payments as (
    select
        *,
        {{ month_end('value_date') }} as month_end
    from {{ ref('stg_payments') }}
),

reported as (
    select distinct facility_id
    from {{ ref('stg_facility_snapshots') }}
),

present as (
    select
        customer_id,
        observation_date,
        facility_id
    from known_then
    union all
    select
        facility_months.customer_id,
        facility_months.month_end,
        facility_months.facility_id
    from facility_months
    inner join restated_customers
        on
            facility_months.customer_id = restated_customers.customer_id
            and facility_months.month_end = restated_customers.observation_date
    left join restated
        on
            facility_months.facility_id = restated.facility_id
            and facility_months.month_end = restated.observation_date
    where restated.facility_id is null
),

paid as (
    select
        present.customer_id,
        present.observation_date,
        count(reported.facility_id) as reported_facilities,
        {{ from_cents('coalesce(sum(month_payments.paid_cents), 0)') }} as paid
    from present
    left join reported on present.facility_id = reported.facility_id
    left join (
        select
            present.facility_id,
            present.observation_date,
            sum(payments.amount_cents) as paid_cents
        from present
        inner join payments
            on
                present.facility_id = payments.facility_id
                and present.observation_date = payments.month_end
                and {{ known_at_end_of('payments', 'present.observation_date') }}
        group by present.facility_id, present.observation_date
    ) as month_payments
        on
            present.facility_id = month_payments.facility_id
            and present.observation_date = month_payments.observation_date
    group by present.customer_id, present.observation_date
)

select
    features.customer_id,
    features.observation_date,
    features.paid_m0,
    paid.paid as paid_known_then
from features
inner join paid
    on
        features.customer_id = paid.customer_id
        and features.observation_date = paid.observation_date
where
    paid.reported_facilities = 0
    and features.paid_m0 is distinct from paid.paid
