-- Payments on facilities that the book has not delivered: they settle nothing. Listed, not refused.
{{ config(severity='warn') }}

with payments as (
    select *
    from {{ ref('stg_payments') }}
    where is_latest
),

facilities as (
    select *
    from {{ ref('int_facility') }}
    where book = {{ book() }}
)

select
    payments.payment_id,
    payments.facility_id
from payments
left join facilities on payments.facility_key = facilities.facility_key
where facilities.facility_id is null
