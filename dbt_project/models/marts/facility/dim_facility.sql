{{ config(follows='facility', daily=true, key='facility_id', indexed=['facility_id']) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true) }}
),

delinquency as (
    select *
    from {{ ref('int_facility_delinquency') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true) }}
)

select
    {{ book() }} as book,
    facilities.facility_id,
    facilities.customer_id,
    facilities.product_id,
    facilities.product_type,
    facilities.partner_id,
    facilities.application_id,
    facilities.opened_on,
    coalesce(facilities.ended_on, delinquency.repaid_on) as closed_on,
    coalesce(delinquency.status, facilities.status) as status,
    facilities.manual_class,
    facilities.currency,
    {{ from_cents('facilities.principal_cents') }} as principal,
    {{ from_cents('facilities.credit_limit_cents') }} as credit_limit,
    facilities.secured,
    facilities.lgd,
    facilities.ccf,
    facilities.annual_rate,
    delinquency.first_due_date,
    delinquency.first_due_settled_on,
    delinquency.is_first_payment_default
from facilities
left join delinquency on facilities.facility_key = delinquency.facility_key
