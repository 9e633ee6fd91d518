{{ config(follows='facility', key='facility_id', grain=['due_item_id'], indexed=['facility_id']) }}

with items as (
    select *
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
        and settled_on is null
        and amount_cents > 0
),

facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
)

select
    items.book,
    items.due_item_id,
    items.facility_id,
    items.customer_id,
    facilities.product_id,
    items.kind,
    items.issued_on,
    items.due_date,
    items.amount_due,
    items.amount_due - items.paid_amount as open_amount
from items
inner join facilities on items.facility_key = facilities.facility_key
