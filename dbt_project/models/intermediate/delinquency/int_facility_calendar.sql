{{ config(follows='facility', daily=true, indexed=['facility_key', 'changes_on']) }}

with delinquency as (
    select *
    from {{ ref('int_facility_delinquency') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true, age=false) }}
),

facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true, age=false) }}
),

coming_days as (
    select *
    from {{ ref('stg_coming_days') }}
    where {{ in_scope('facility_id', daily=true, age=false) }}
),

-- An item settles by the calendar alone where credit waits for its day: a red-letter item or one paid ahead.
item_days as (
    select
        facility_key,
        min(case when due_date > {{ as_of() }} and (settled_on is null and paid_amount = amount_due or amount_cents <= {{ settlement_tolerance('facility_key', 'facilities') }})
            then due_date end) as settles_on,
        {% if not counts_material_only() %}
        min(case when settled_on is null and {{ days_after('due_date', 91) }} > {{ as_of() }} then {{ days_after('due_date', 91) }} end)
            as default_on,
        {% endif %}
        min(case when settled_on is null and due_date >= {{ as_of() }} then {{ days_after('due_date', 1) }} end) as past_due_on,
        min(case when due_date > {{ as_of() }} then due_date end) as due_on,
        min(case when issued_on > {{ as_of() }} then issued_on end) as issued_on
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true, age=false) }}
        and (settled_on is null or due_date > {{ as_of() }} or issued_on > {{ as_of() }})
    group by facility_key
),

arrivals as (
    select
        facility_key,
        min(comes_on) as comes_on
    from coming_days
    group by facility_key
),

-- Of customers that a default event befell, every day past due counts.
watched as (
    select distinct holdings.facility_key
    from {{ ref('int_facility_holding') }} as holdings
    inner join {{ ref('int_struck_customer') }} as struck
        on
            holdings.customer_id = struck.customer_id
            and struck.book = {{ book() }}
    where
        holdings.book = {{ book() }}
        and {{ in_scope('holdings.facility_key', daily=true, age=false) }}
),

-- Who is in arrears for over 90 days already is not in default anew when more of the items have been due so long.
struck as (
    select facility_key
    from {{ ref('int_default_event') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true, age=false) }}
        and reason = 'past_due'
        and struck_on is not null
        and until_on = {{ end_of_time() }}
),

disputed as (
    select distinct due_items.facility_key
    from {{ ref('stg_disputes') }} as disputes
    inner join {{ ref('int_due_item_settlement') }} as due_items
        on
            disputes.due_item_id = due_items.due_item_id
            and due_items.book = {{ book() }}
            and {{ in_scope('due_items.facility_key', daily=true, age=false) }}
    where disputes.is_latest
),

-- What is disputed, paid by name or material hides on which day the facility is past due.
looked_at as (
    select
        facilities.facility_key,
        {{ days_after(as_of(), 1) }} as looked_at_on
    from facilities
    inner join watched on facilities.facility_key = watched.facility_key
    left join disputed on facilities.facility_key = disputed.facility_key
    where
        {{ 'true' if counts_material_only() else "facilities.basis = 'trade' or disputed.facility_key is not null" }}
    {% if counts_material_only() %}
    union
    -- What is undisputed of it may have been material for less long.
    select
        disputed.facility_key,
        {{ days_after(as_of(), 1) }}
    from disputed
    inner join delinquency on disputed.facility_key = delinquency.facility_key
    where delinquency.dpd > 0
    {% endif %}
),

reviewed as (
    select
        delinquency.facility_id,
        delinquency.facility_key,
        delinquency.customer_id,
        delinquency.dpd,
        delinquency.first_due_date,
        item_days.past_due_on,
        item_days.due_on,
        item_days.issued_on,
        least(
            item_days.settles_on,
            {% if counts_material_only() %}
            case when delinquency.dpd between 1 and 90 then {{ days_after(as_of(), '91 - delinquency.dpd') }} end,
            {% else %}
            case when struck.facility_key is null then item_days.default_on end,
            {% endif %}
            arrivals.comes_on,
            case when watched.facility_key is not null then item_days.past_due_on end,
            looked_at.looked_at_on
        ) as reviewed_on
    from delinquency
    left join item_days on delinquency.facility_key = item_days.facility_key
    left join arrivals on delinquency.facility_key = arrivals.facility_key
    left join watched on delinquency.facility_key = watched.facility_key
    left join struck on delinquency.facility_key = struck.facility_key
    left join looked_at on delinquency.facility_key = looked_at.facility_key
),

{% set decided_on = days_after('first_due_date', first_payment_days() | int + 1) %}
recounted as (
    select
        *,
        least(
            reviewed_on,
            past_due_on,
            due_on,
            issued_on,
            case when {{ decided_on }} > {{ as_of() }} then {{ decided_on }} end
            {%- if counts_material_only() %},
            case when dpd > 0 then {{ days_after(as_of(), 1) }} end
            {%- endif %}
        ) as recounted_on
    from reviewed
)

select
    {{ book() }} as book,
    facility_id,
    facility_key,
    customer_id,
    reviewed_on,
    recounted_on,
    least(recounted_on, case when dpd > 0 then {{ days_after(as_of(), 1) }} end) as changes_on
from recounted
{%- if var('scope') == 'changed' %}
union all
select
    book,
    facility_id,
    facility_key,
    customer_id,
    reviewed_on,
    recounted_on,
    least(recounted_on, {{ days_after(as_of(), 1) }})
from {{ this }}
where
    book = {{ book() }}
    and {{ merely_ages('facility_key') }}
{%- endif %}
