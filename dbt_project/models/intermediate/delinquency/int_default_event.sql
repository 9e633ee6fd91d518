{{ config(follows='facility', grain=['facility_key', 'reason', 'from_on'], indexed=['facility_key'], shared=true) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

versions as (
    select * from {{ ref('int_facility_version') }}
),

snapshots as (
    select
        *,
        coalesce(dpd, {{ dpd_of_months('months_past_due') }}) as reported_dpd
    from {{ ref('stg_facility_snapshots') }}
    where
        is_latest
        and {{ in_scope('facility_id') }}
),

watched as (
    select distinct holdings.facility_key
    from {{ ref('int_facility_holding') }} as holdings
    inner join {{ ref('int_struck_customer') }} as struck
        on
            holdings.customer_id = struck.customer_id
            and struck.book = {{ book() }}
    where
        holdings.book = {{ book() }}
        and {{ in_scope('holdings.facility_key') }}
),

due_items as (
    select *
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ among('facility_key', 'watched') }}
),

facility_entries as (
    select *
    from {{ ref('int_credit_entry') }}
    where
        book = {{ book() }}
        and {{ among('facility_key', 'watched') }}
),

disputes as (
    select
        due_items.facility_key as scope_key,
        disputes.due_item_id,
        disputes.opened_on,
        disputes.closed_on
    from {{ ref('stg_disputes') }} as disputes
    inner join due_items on disputes.due_item_id = due_items.due_item_id
    where disputes.is_latest
),

first_items as (
    select facility_key
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ among('facility_key', 'snapshots') }}
        and sequence_no = 1
),

{% if counts_material_only() %}
scopes as (
    select
        facility_key,
        basis,
        customer_type,
        product_id,
        principal_cents,
        {{ as_of() }} as last_day
    from facilities
    where facility_key in (select watched.facility_key from watched)
),

{{ material_runs_cte('scopes', 'due_items', 'facility_entries', 'disputes', 'snapshots', 'facility_key') }},

{% else %}
late_items as (
    select *
    from due_items
    where amount_cents > 0
),

queued_facilities as (
    select facility_key
    from facility_entries
    where due_item_id is not null
    union
    select scope_key
    from disputes
),

-- Oldest first: what has been due for 1 day and for 91 days, and what was paid, change on these days only.

changes as (
    select
        facility_key,
        {{ days_after('due_date', 1) }} as changed_on,
        amount_cents as owed_cents,
        cast(0 as bigint) as owed_90_cents,
        cast(0 as bigint) as pool_cents
    from late_items
    union all
    select
        facility_key,
        {{ days_after('due_date', 91) }},
        0,
        amount_cents,
        0
    from late_items
    union all
    select
        facility_key,
        value_date,
        0,
        0,
        pool_cents
    from facility_entries
),

change_days as (
    select
        facility_key,
        changed_on,
        {{ sum_cents('owed_cents') }} as owed_cents,
        {{ sum_cents('owed_90_cents') }} as owed_90_cents,
        {{ sum_cents('pool_cents') }} as pool_cents
    from changes
    where
        changed_on <= {{ as_of() }}
        and facility_key not in (select queued_facilities.facility_key from queued_facilities)
    group by facility_key, changed_on
),

settled_spells as (
    select
        facility_key,
        changed_on as from_on,
        coalesce(
            lead(changed_on) over (partition by facility_key order by changed_on),
            {{ days_after(as_of(), 1) }}
        ) as until_on,
        {{ sum_cents('owed_cents', 'partition by facility_key order by changed_on rows unbounded preceding') }}
            as owed_cents,
        {{ sum_cents('owed_90_cents', 'partition by facility_key order by changed_on rows unbounded preceding') }}
            as owed_90_cents,
        {{ sum_cents('pool_cents', 'partition by facility_key order by changed_on rows unbounded preceding') }}
            as pool_cents,
        {{ settlement_tolerance('facility_key', 'facilities') }} as tolerance_cents
    from change_days
),

-- Named and disputed items: each open item by itself, between the days on which something is paid or disputed.

queue_items as (
    select
        late_items.facility_key as scope_key,
        late_items.due_item_id,
        late_items.sequence_no,
        late_items.due_date,
        {{ days_after('late_items.due_date', 1) }} as enters_on,
        late_items.amount_cents,
        {{ settlement_tolerance('late_items.facility_key', 'facilities') }} as tolerance_cents
    from late_items
    inner join queued_facilities on late_items.facility_key = queued_facilities.facility_key
),

credit_entries as (
    select
        facility_entries.facility_key as scope_key,
        facility_entries.due_item_id,
        facility_entries.value_date,
        facility_entries.applied_cents,
        facility_entries.pool_cents
    from facility_entries
    inner join queued_facilities on facility_entries.facility_key = queued_facilities.facility_key
),

look_days as (
    select scope_key, value_date as look_on from credit_entries
    union
    select scope_key, opened_on from disputes
    union
    select scope_key, closed_on from disputes
    union
    select facility_key, cast('0001-01-01' as date) from queued_facilities
),

queue_looks as (
    select
        scope_key,
        look_on,
        coalesce(
            lead(look_on) over (partition by scope_key order by look_on) - 1,
            {{ as_of() }}
        ) as looks_until
    from look_days
    where
        look_on <= {{ as_of() }}
        and scope_key in (select queued_facilities.facility_key from queued_facilities)
),

{{ open_item_ctes() }},

queued_spells as (
    select
        open_items.scope_key as facility_key,
        greatest(open_items.look_on, {{ days_after('open_items.due_date', 1) }}) as from_on,
        {{ days_after('open_items.looks_until', 1) }} as until_on,
        case
            when {{ days_after('open_items.due_date', 91) }} <= open_items.looks_until
                then greatest(open_items.look_on, {{ days_after('open_items.due_date', 91) }})
        end as default_on
    from open_items
    left join disputes
        on
            open_items.scope_key = disputes.scope_key
            and open_items.due_item_id = disputes.due_item_id
            and open_items.look_on >= disputes.opened_on
            and open_items.look_on < disputes.closed_on
    where disputes.due_item_id is null
),

{% endif %}
reported_spells as (
    select
        snapshots.facility_key,
        snapshots.month_end as from_on,
        coalesce(
            lead(snapshots.month_end) over (partition by snapshots.facility_key order by snapshots.month_end),
            {{ days_after(as_of(), 1) }}
        ) as until_on,
        snapshots.reported_dpd
    from snapshots
    left join first_items on snapshots.facility_key = first_items.facility_key
    where
        first_items.facility_key is null
        and snapshots.reported_dpd is not null
),

-- Days on which a facility is past due, or classed as bad by a person, and where in them a default event begins.
raw_spells as (
    {% if counts_material_only() %}
    select
        material_runs.facility_key,
        'past_due' as reason,
        material_runs.from_on,
        material_runs.until_on,
        {{ default_of_run('material_runs') }} as struck_on
    from material_runs
    where material_runs.counts = 'undisputed'
    {% else %}
    select
        facility_key,
        'past_due' as reason,
        from_on,
        until_on,
        case when owed_90_cents > 0 and owed_90_cents - pool_cents > tolerance_cents then from_on end as struck_on
    from settled_spells
    where
        owed_cents > 0
        and owed_cents - pool_cents > tolerance_cents
    union all
    select
        facility_key,
        'past_due',
        from_on,
        until_on,
        default_on
    from queued_spells
    {% endif %}
    union all
    select
        facility_key,
        'past_due',
        from_on,
        until_on,
        case when reported_dpd > 90 then from_on end
    from reported_spells
    where reported_dpd > 0
    union all
    select
        facility_key,
        'manual',
        effective_date,
        next_effective_date,
        effective_date
    from versions
    where {{ class_rank('manual_class') }} >= 3
    union all
    select
        facility_key,
        'written_off',
        ended_on,
        {{ end_of_time() }},
        ended_on
    from facilities
    where status = 'written_off'
    union all
    select
        facility_key,
        'restructured',
        restructured_on,
        restructured_on,
        restructured_on
    from facilities
    where restructured_on is not null
),

-- A first version holds before its date; nothing befalls a facility before it is opened. What lasts has no end yet.
bounded_spells as (
    select
        raw_spells.facility_key,
        facilities.facility_id,
        raw_spells.reason,
        greatest(raw_spells.from_on, facilities.opened_on) as from_on,
        case when raw_spells.until_on > {{ as_of() }} then {{ end_of_time() }} else raw_spells.until_on end as until_on,
        case when raw_spells.struck_on is not null then greatest(raw_spells.struck_on, facilities.opened_on) end
            as struck_on
    from raw_spells
    inner join facilities on raw_spells.facility_key = facilities.facility_key
    inner join watched on raw_spells.facility_key = watched.facility_key
),

reaches as (
    select
        *,
        max(until_on) over (
            partition by facility_key, reason
            order by from_on, until_on
            rows between unbounded preceding and 1 preceding
        ) as reached_on
    from bounded_spells
),

joined_spells as (
    select
        *,
        sum(case when from_on <= reached_on then 0 else 1 end) over (
            partition by facility_key, reason
            order by from_on, until_on
            rows unbounded preceding
        ) as spell_no
    from reaches
)

select
    {{ book() }} as book,
    facility_id,
    facility_key,
    reason,
    min(from_on) as from_on,
    max(until_on) as until_on,
    min(struck_on) as struck_on
from joined_spells
group by facility_id, facility_key, reason, spell_no
