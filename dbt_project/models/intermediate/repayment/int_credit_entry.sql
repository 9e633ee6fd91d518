{{ config(follows='facility', indexed=['facility_key, value_date'], shared=true) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

payments as (
    select *
    from {{ ref('stg_payments') }}
    where
        is_latest
        and {{ in_scope('facility_key') }}
),

due_items as (
    select *
    from {{ ref('stg_due_items') }}
    where
        is_latest
        and {{ in_scope('facility_key') }}
),

trade_payments as (
    select
        payments.*
    from payments
    inner join facilities on payments.facility_key = facilities.facility_key
    where facilities.basis = 'trade'
),

scoped_payments as (
    select
        payments.facility_key as scope_key,
        payments.value_date,
        {{ named_due_item('payments', 'reversed', 'facilities') }} as named_due_item_id,
        payments.amount_cents as cash_cents
    from payments
    inner join facilities on payments.facility_key = facilities.facility_key
    left join trade_payments as reversed
        on
            payments.reverses_payment_id = reversed.payment_id
            and payments.facility_key = reversed.facility_key
),

scoped_due_items as (
    select
        due_items.facility_key as scope_key,
        due_items.due_item_id,
        due_items.due_date,
        due_items.amount_cents
    from due_items
    inner join facilities on due_items.facility_key = facilities.facility_key
    where
        facilities.basis = 'trade'
        or due_items.amount_cents < 0
),

{{ credit_entry_ctes() }}

select
    {{ book() }} as book,
    scope_key as facility_key,
    due_item_id,
    value_date,
    cash_cents,
    applied_cents,
    pool_cents
from credit_entries
