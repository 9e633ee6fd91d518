with facilities as (
    {{ known_versions(source('raw', 'facilities'), ['facility_id', 'effective_date']) }}
),

snapshots as (
    {{ known_versions(source('raw', 'facility_snapshots'), ['facility_id', 'month_end']) }}
),

disputes as (
    {{ known_versions(source('raw', 'disputes'), ['dispute_id']) }}
),

coming as (
    select
        facility_id,
        effective_date as comes_on
    from facilities
    where is_latest
    union all
    select
        facility_id,
        closed_on
    from facilities
    where is_latest
    union all
    select
        facility_id,
        month_end
    from snapshots
    where is_latest
    union all
    select
        facility_id,
        value_date
    from {{ ref('base_payments') }}
    where
        book = {{ book() }}
        and value_date > {{ as_of() }}
        and is_latest
    union all
    select
        due_items.facility_id,
        disputes.opened_on
    from disputes
    inner join {{ ref('base_due_items') }} as due_items
        on
            disputes.due_item_id = due_items.due_item_id
            and due_items.book = {{ book() }}
    where disputes.is_latest
    union all
    select
        due_items.facility_id,
        disputes.closed_on
    from disputes
    inner join {{ ref('base_due_items') }} as due_items
        on
            disputes.due_item_id = due_items.due_item_id
            and due_items.book = {{ book() }}
    where disputes.is_latest
)

select
    facility_id,
    {{ surrogate_key('facility_id') }} as facility_key,
    comes_on
from coming
where comes_on > {{ as_of() }}
