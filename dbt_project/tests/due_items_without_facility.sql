-- Due items of facilities that the book has not delivered: they settle nowhere. Listed, not refused.
{{ config(severity='warn') }}

with due_items as (
    select *
    from {{ ref('stg_due_items') }}
    where is_latest
),

facilities as (
    select *
    from {{ ref('int_facility') }}
    where book = {{ book() }}
)

select
    due_items.due_item_id,
    due_items.facility_id
from due_items
left join facilities on due_items.facility_key = facilities.facility_key
where facilities.facility_id is null
