{{ config(follows='facility', key='facility_id', indexed=['facility_id']) }}

with restated as (
    select *
    from {{ ref('int_restated_observation') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_id') }}
),

known_then as (
    select *
    from {{ ref('int_facility_month_known_then') }}
    where
        book = {{ book() }}
        and month_end = observation_date
        and {{ in_scope('facility_id') }}
),

known_now as (
    select *
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_id') }}
),

compared as (
    select
        restated.facility_id,
        coalesce(known_now.customer_id, restated.customer_id) as customer_id,
        known_then.customer_id as customer_id_before,
        known_now.customer_id as customer_id_after,
        restated.observation_date as month_end,
        known_then.status as status_before,
        known_now.status as status_after,
        known_then.dpd as dpd_before,
        known_now.dpd as dpd_after,
        known_then.balance as balance_before,
        known_now.balance as balance_after,
        known_then.overdue_amount as overdue_amount_before,
        known_now.overdue_amount as overdue_amount_after,
        known_then.amount_paid as amount_paid_before,
        known_now.amount_paid as amount_paid_after,
        known_then.credit_limit as credit_limit_before,
        known_now.credit_limit as credit_limit_after,
        restated.causes,
        restated.learnt_at
    from restated
    left join known_then
        on
            restated.facility_id = known_then.facility_id
            and restated.observation_date = known_then.month_end
    left join known_now
        on
            restated.facility_id = known_now.facility_id
            and restated.observation_date = known_now.month_end
)

select
    {{ book() }} as book,
    *
from compared
where
    customer_id_before is distinct from customer_id_after
    or status_before is distinct from status_after
    or dpd_before is distinct from dpd_after
    or balance_before is distinct from balance_after
    or overdue_amount_before is distinct from overdue_amount_after
    or amount_paid_before is distinct from amount_paid_after
    or credit_limit_before is distinct from credit_limit_after
