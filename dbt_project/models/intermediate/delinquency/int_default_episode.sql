{{ config(follows='facility', grain=['facility_key', 'default_on'], indexed=['facility_key'], shared=true) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

{% if not counts_material_only() %}
-- Only facilities with an item more than 90 days late are looked at day by day.
late_facilities as (
    select distinct facility_key
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
        and amount_cents > 0
        and (settled_on is null or {{ days_between('due_date', 'settled_on') }} > 90)
        and {{ days_between('due_date', 'coalesce(settled_on, ' ~ days_after(as_of(), 1) ~ ')') }} > 90
),

{% endif %}
due_items as (
    select *
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        {%- if counts_material_only() %}
        and {{ in_scope('facility_key') }}
        {%- else %}
        and {{ among('facility_key', 'late_facilities') }}
        {%- endif %}
),

facility_entries as (
    select *
    from {{ ref('int_credit_entry') }}
    where
        book = {{ book() }}
        {%- if counts_material_only() %}
        and {{ in_scope('facility_key') }}
        {%- else %}
        and {{ among('facility_key', 'late_facilities') }}
        {%- endif %}
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

snapshots as (
    select
        *,
        coalesce(dpd, {{ dpd_of_months('months_past_due') }}) as reported_dpd
    from {{ ref('stg_facility_snapshots') }}
    where
        is_latest
        and {{ in_scope('facility_id') }}
),

first_items as (
    select facility_key
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ among('facility_key', 'snapshots') }}
        and sequence_no = 1
),

versions as (
    select * from {{ ref('int_facility_version') }}
),

{% if counts_material_only() %}
scopes as (
    select
        facility_key,
        basis,
        customer_type,
        principal_cents,
        {{ as_of() }} as last_day
    from facilities
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
            as pool_cents
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
        late_items.amount_cents
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
    where first_items.facility_key is null
),

-- Spells of days on which a facility is past due or classed as bad, and where in them default begins.
dirty_spells as (
    {% if counts_material_only() %}
    select
        material_runs.facility_key,
        material_runs.from_on,
        material_runs.until_on,
        {{ default_of_run('material_runs') }} as default_on,
        'past_due' as reason
    from material_runs
    where material_runs.counts = 'undisputed'
    {% else %}
    select
        facility_key,
        from_on,
        until_on,
        case
            when owed_90_cents > 0 and owed_90_cents - pool_cents > {{ var('settlement_tolerance_cents') }} then from_on
        end as default_on,
        'past_due' as reason
    from settled_spells
    where
        owed_cents > 0
        and owed_cents - pool_cents > {{ var('settlement_tolerance_cents') }}
    union all
    select
        facility_key,
        from_on,
        until_on,
        default_on,
        'past_due'
    from queued_spells
    {% endif %}
    union all
    select
        facility_key,
        from_on,
        until_on,
        case when reported_dpd > 90 then from_on end,
        'past_due'
    from reported_spells
    where reported_dpd > 0
    union all
    select
        facility_key,
        effective_date,
        least(next_effective_date, {{ days_after(as_of(), 1) }}),
        effective_date,
        'class'
    from versions
    where {{ class_rank('manual_class') }} >= 3
    union all
    select
        facility_key,
        ended_on,
        cast('9999-12-31' as date),
        ended_on,
        'written_off'
    from facilities
    where status = 'written_off'
),

-- Restructuring in distress is a default event; the days of probation count from the end of the arrears
-- that it cleared, if these are not cured by then.
restructurings as (
    select
        facilities.facility_key,
        facilities.restructured_on as from_on,
        coalesce(max(dirty_spells.until_on), facilities.restructured_on) as until_on,
        facilities.restructured_on as default_on,
        'restructured' as reason
    from facilities
    left join dirty_spells
        on
            facilities.facility_key = dirty_spells.facility_key
            and facilities.restructured_on >= dirty_spells.from_on
            and {{ days_between('dirty_spells.until_on', 'facilities.restructured_on') }} < {{ var('cure_days') }}
    where facilities.restructured_on is not null
    group by facilities.facility_key, facilities.restructured_on
),

spells as (
    select * from dirty_spells
    union all
    select * from restructurings
),

-- A first version holds before its date; a default does not begin before the facility.
bounded_spells as (
    select
        spells.facility_key,
        facilities.facility_id,
        facilities.customer_id,
        greatest(spells.from_on, facilities.opened_on) as from_on,
        spells.until_on,
        greatest(spells.default_on, case when spells.default_on is not null then facilities.opened_on end) as default_on,
        spells.reason,
        facilities.restructured_on,
        facilities.ended_on
    from spells
    inner join facilities on spells.facility_key = facilities.facility_key
),

gaps as (
    select
        *,
        max(until_on) over (
            partition by facility_key
            order by from_on, until_on
            rows between unbounded preceding and 1 preceding
        ) as clean_from
    from bounded_spells
),

run_starts as (
    select
        *,
        sum(case when {{ days_between('clean_from', 'from_on') }} >= {{ var('cure_days') }} then 1 else 0 end) over (
            partition by facility_key
            order by from_on, until_on
            rows unbounded preceding
        ) as run_no
    from gaps
),

-- Runs of spells without a full cure period between them.
runs as (
    select
        facility_key,
        facility_id,
        customer_id,
        restructured_on,
        ended_on,
        run_no,
        min(from_on) as from_on,
        min(default_on) as default_on,
        max(until_on) as clean_from,
        max(case when reason = 'restructured' then 1 else 0 end) as has_restructuring
    from run_starts
    group by facility_key, facility_id, customer_id, restructured_on, ended_on, run_no
),

-- After a restructuring, runs belong to the same default until the longer cure period has passed once.
linked_runs as (
    select
        *,
        max(has_restructuring) over before as is_after_restructuring,
        {{ days_between('lag(clean_from) over in_order', 'from_on') }} as gap_days
    from runs
    window
        in_order as (partition by facility_key order by run_no),
        before as (
            partition by facility_key
            order by run_no
            rows between unbounded preceding and 1 preceding
        )
),

long_gaps as (
    select
        *,
        sum(
            case
                when is_after_restructuring = 1 and gap_days >= {{ var('cure_days_restructured') }} then 1
                else 0
            end
        ) over (
            partition by facility_key
            order by run_no
            rows unbounded preceding
        ) as long_gaps
    from linked_runs
),

episode_nos as (
    select
        *,
        sum(case when is_after_restructuring = 1 and long_gaps = 0 then 0 else 1 end) over (
            partition by facility_key
            order by run_no
            rows unbounded preceding
        ) as episode_no
    from long_gaps
),

episodes as (
    select
        facility_key,
        facility_id,
        customer_id,
        ended_on,
        episode_no,
        min(default_on) as default_on,
        max(clean_from) as clean_from,
        case
            when max(has_restructuring) = 1 then {{ var('cure_days_restructured') }}
            else {{ var('cure_days') }}
        end as cure_days
    from episode_nos
    group by facility_key, facility_id, customer_id, ended_on, episode_no
    having min(default_on) is not null
),

first_reasons as (
    select
        facility_key,
        default_on,
        min(reason) as reason
    from spells
    where default_on is not null
    group by facility_key, default_on
)

select
    {{ book() }} as book,
    episodes.facility_id,
    episodes.facility_key,
    episodes.customer_id,
    episodes.default_on,
    case
        when {{ days_after('episodes.clean_from', 'episodes.cure_days - 1') }}
            <= least({{ as_of() }}, episodes.ended_on)
            then {{ days_after('episodes.clean_from', 'episodes.cure_days - 1') }}
    end as cured_on,
    coalesce(first_reasons.reason, 'class') as reason
from episodes
left join first_reasons
    on
        episodes.facility_key = first_reasons.facility_key
        and episodes.default_on = first_reasons.default_on
