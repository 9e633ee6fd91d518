{{ config(follows='payments', since='value_date', indexed=['facility_key, value_date'], shared=true) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

{% if var('scope') == 'changed' %}
-- What is paid for an item of trade credit depends on all that was; else earlier days stand.
places as (
    select
        facilities.facility_key,
        case when facilities.basis = 'trade' then cast('-infinity' as date) else changes.from_on end as since
    from facilities
    inner join {{ changes() }} as changes on facilities.facility_key = changes.facility_key
),

{% endif %}
payments as (
    select *
    from {{ rows_from('places', ref('stg_payments'), 'value_date') }} as payments
    where is_latest
),

due_items as (
    select *
    from {{ rows_from('places', ref('stg_due_items'), 'due_date') }} as due_items
    where is_latest
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
{%- if var('scope') == 'changed' %}
inner join {{ changes() }} as changes
    on
        credit_entries.scope_key = changes.facility_key
        and credit_entries.value_date >= changes.from_on
{%- endif %}
