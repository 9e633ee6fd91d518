-- depends_on: {{ ref('stg_facility_snapshots') }}
{{ config(follows='facility', grain=['facility_key', 'from_on'], indexed=['facility_key'], shared=true) }}

with scopes as (
    select
        facility_id,
        facility_key as scope_key,
        basis,
        customer_type,
        product_id,
        principal_cents
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

due_ladder as (
    select
        facility_key as scope_key,
        due_item_id,
        sequence_no,
        issued_on,
        due_date,
        amount_cents,
        principal_cents,
        due_through_cents,
        principal_through_cents
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

credit_entries as (
    select
        facility_key as scope_key,
        due_item_id,
        value_date,
        cash_cents,
        applied_cents,
        pool_cents
    from {{ ref('int_credit_entry') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

disputes as (
    select
        due_ladder.scope_key,
        disputes.due_item_id,
        disputes.opened_on,
        disputes.closed_on
    from {{ ref('stg_disputes') }} as disputes
    inner join due_ladder on disputes.due_item_id = due_ladder.due_item_id
    where disputes.is_latest
),

{% if counts_material_only() %}
snapshots as (
    select
        facility_key as scope_key,
        month_end,
        balance_cents
    from {{ ref('stg_facility_snapshots') }}
    where
        is_latest
        and {{ in_scope('facility_id') }}
),

{% endif %}
{{ arrears_spells_cte() }}

select
    {{ book() }} as book,
    scopes.facility_id,
    arrears_spells.scope_key as facility_key,
    arrears_spells.from_on,
    arrears_spells.until_on,
    arrears_spells.late_since,
    arrears_spells.late_since_undisputed
from arrears_spells
inner join scopes on arrears_spells.scope_key = scopes.scope_key
