{{ config(
    follows='facility',
    indexed=['facility_key', 'customer_id', {'columns': 'facility_key', 'rows': "from_on > '0001-01-01'"}],
) }}

with versions as (
    select * from {{ ref('int_facility_version') }}
),

facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

holders as (
    select
        *,
        lag(customer_id) over (partition by facility_key order by effective_date) as customer_before
    from versions
),

-- A version that names the same customer as the one before changes no holder.
moves as (
    select
        facility_key,
        customer_id,
        effective_date as from_on,
        coalesce(
            lead(effective_date) over (partition by facility_key order by effective_date),
            {{ end_of_time() }}
        ) as until_on
    from holders
    where customer_id is distinct from customer_before
)

select
    {{ book() }} as book,
    facilities.facility_id,
    moves.facility_key,
    moves.customer_id,
    moves.from_on,
    moves.until_on
from moves
inner join facilities on moves.facility_key = facilities.facility_key
