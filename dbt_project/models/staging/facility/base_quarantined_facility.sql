{{ config(
    materialized='book_partition',
    contract={'enforced': true},
    follows='facility',
    indexed=['facility_key'],
) }}

with scoped_facilities as (
    select
        facility_key as scope_key,
        {{ as_of() }} as last_day,
        *
    from {{ ref('base_facilities') }}
    where
        is_latest
        and {{ in_scope('facility_id') }}
),

{{ facility_state_ctes() }},

early_items as (
    select
        facility_states.facility_key,
        due_items.due_item_id,
        due_items.due_date,
        facility_states.opened_on,
        row_number() over (
            partition by facility_states.facility_key order by due_items.due_date, due_items.due_item_id
        ) as place,
        count(*) over (partition by facility_states.facility_key) as items
    from facility_states
    inner join {{ ref('base_due_items') }} as due_items
        on
            facility_states.facility_key = due_items.facility_key
            and due_items.book = {{ book() }}
            and facility_states.opened_on > due_items.due_date
    where
        due_items.is_latest
        and due_items.amount_cents > 0
),

other_currency as (
    select
        facility_states.facility_key,
        'due_items' as source,
        due_items.due_item_id as row_key,
        due_items.currency,
        facility_states.currency as facility_currency
    from facility_states
    inner join {{ ref('base_due_items') }} as due_items
        on
            facility_states.facility_key = due_items.facility_key
            and due_items.book = {{ book() }}
            and facility_states.currency <> due_items.currency
    where due_items.is_latest
    union all
    select
        facility_states.facility_key,
        'payments',
        payments.payment_id,
        payments.currency,
        facility_states.currency
    from facility_states
    inner join {{ ref('base_payments') }} as payments
        on
            facility_states.facility_key = payments.facility_key
            and payments.book = {{ book() }}
            and facility_states.currency <> payments.currency
    where payments.is_latest
),

other_currency_counted as (
    select
        *,
        row_number() over (partition by facility_key order by source, row_key) as place,
        count(*) over (partition by facility_key) as items
    from other_currency
),

reasons as (
    select
        facility_key,
        'due_before_opening' as reason,
        'due_items' as source,
        due_item_id as row_key,
        'due ' || due_date || ', opened ' || opened_on as detail,
        items as rows_at_fault
    from early_items
    where place <= 1
    union all
    select
        facility_key,
        'other_currency',
        source,
        row_key,
        currency || ', the facility is in ' || facility_currency,
        items
    from other_currency_counted
    where place <= 1
    union all
    select
        facility_key,
        'ended_before_opening',
        'facilities',
        facility_id,
        'ended ' || ended_on || ', opened ' || opened_on,
        1
    from facility_states
    where ended_on < opened_on
    union all
    select
        facility_states.facility_key,
        'unknown_product',
        'facilities',
        facility_states.facility_id,
        'product ' || facility_states.product_id,
        1
    from facility_states
    left join {{ ref('base_products') }} as products on facility_states.product_id = products.product_id
    where products.product_id is null
    union all
    select
        facility_states.facility_key,
        'unknown_customer',
        'facilities',
        facility_states.facility_id,
        'customer ' || facility_states.customer_id,
        1
    from facility_states
    where
        not exists (
            select 1
            from {{ ref('base_customers') }} as customers
            where facility_states.customer_id = customers.customer_id
        )
)

select
    {{ book() }} as book,
    facility_states.facility_id,
    facility_states.facility_key,
    facility_states.customer_id,
    reasons.reason,
    reasons.source,
    reasons.row_key,
    reasons.detail,
    cast(reasons.rows_at_fault as integer) as rows_at_fault
from reasons
inner join facility_states on reasons.facility_key = facility_states.facility_key
