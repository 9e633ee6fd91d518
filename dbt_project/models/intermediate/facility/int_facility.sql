{{ config(follows='facility', grain=['facility_key'], indexed=['facility_key', 'customer_id']) }}

with scoped_facilities as (
    select
        facility_key as scope_key,
        {{ as_of() }} as last_day,
        *
    from {{ ref('stg_facilities') }}
    where
        is_latest
        and {{ in_scope('facility_id') }}
),

products as (
    select * from {{ ref('stg_products') }}
),

customers as (
    select *
    from {{ ref('stg_customers') }}
    where {{ in_customer_scope('customer_id') }}
),

{{ facility_state_ctes() }}

select
    {{ book() }} as book,
    facility_states.facility_id,
    facility_states.facility_key,
    facility_states.customer_id,
    customers.customer_type,
    facility_states.product_id,
    products.product_type,
    {{ basis_of('products.product_type') }} as basis,
    facility_states.partner_id,
    facility_states.application_id,
    facility_states.opened_on,
    facility_states.ended_on,
    facility_states.status,
    facility_states.manual_class,
    facility_states.restructured_on,
    facility_states.currency,
    facility_states.principal_cents,
    facility_states.credit_limit_cents,
    facility_states.secured,
    products.lgd,
    products.ccf,
    products.annual_rate
from facility_states
left join products on facility_states.product_id = products.product_id
left join customers on facility_states.customer_id = customers.customer_id
