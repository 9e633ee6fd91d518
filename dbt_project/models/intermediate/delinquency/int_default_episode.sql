with facilities as (
    select *
    from {{ ref('int_facility') }}
    where book = {{ book() }}
),

due_items as (
    select *
    from {{ ref('int_due_item_settlement') }}
    where book = {{ book() }}
),

credit_entries as (
    select *
    from {{ ref('int_credit_entry') }}
    where book = {{ book() }}
),

snapshots as (
    select
        *,
        coalesce(dpd, {{ dpd_of_months('months_past_due') }}) as reported_dpd
    from {{ ref('stg_facility_snapshots') }}
    where known_until is null
),

versions as (
    select * from {{ ref('int_facility_version') }}
),

-- Only facilities with an item more than 90 days late are looked at day by day.
late_facilities as (
    select distinct facility_key
    from due_items
    where
        amount_cents > 0
        and {{ days_between('due_date', 'coalesce(settled_on, ' ~ days_after(as_of(), 1) ~ ')') }} > 90
),

late_items as (
    select due_items.*
    from due_items
    inner join late_facilities on due_items.facility_key = late_facilities.facility_key
    where due_items.amount_cents > 0
),

late_entries as (
    select
        credit_entries.facility_key,
        credit_entries.value_date,
        credit_entries.pool_cents,
        credit_entries.applied_cents,
        late_items.due_date
    from credit_entries
    inner join late_facilities on credit_entries.facility_key = late_facilities.facility_key
    left join late_items
        on
            credit_entries.facility_key = late_items.facility_key
            and credit_entries.due_item_id = late_items.due_item_id
),

-- What is past due by 1 day and by 91 days changes only on these days.
changes as (
    select
        facility_key,
        {{ days_after('due_date', 1) }} as changed_on,
        amount_cents as past_due_cents,
        cast(0 as bigint) as past_90_cents
    from late_items
    union all
    select
        facility_key,
        {{ days_after('due_date', 91) }},
        0,
        amount_cents
    from late_items
    union all
    select
        facility_key,
        value_date,
        -pool_cents,
        -pool_cents
    from late_entries
    union all
    select
        facility_key,
        greatest(value_date, {{ days_after('due_date', 1) }}),
        -applied_cents,
        0
    from late_entries
    where applied_cents <> 0
    union all
    select
        facility_key,
        greatest(value_date, {{ days_after('due_date', 91) }}),
        0,
        -applied_cents
    from late_entries
    where applied_cents <> 0
),

change_days as (
    select
        facility_key,
        changed_on,
        {{ sum_cents('past_due_cents') }} as past_due_cents,
        {{ sum_cents('past_90_cents') }} as past_90_cents
    from changes
    where changed_on <= {{ as_of() }}
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
        {{ sum_cents('past_due_cents', 'partition by facility_key order by changed_on rows unbounded preceding') }}
            as past_due_cents,
        {{ sum_cents('past_90_cents', 'partition by facility_key order by changed_on rows unbounded preceding') }}
            as past_90_cents
    from change_days
),

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
    left join due_items
        on
            snapshots.facility_key = due_items.facility_key
            and due_items.sequence_no = 1
    where due_items.facility_key is null
),

-- Days on which the facility is not clean, and whether each spell of them is or begins a default.
spells as (
    select
        facility_key,
        from_on,
        until_on,
        case when past_90_cents > {{ var('settlement_tolerance_cents') }} then from_on end as default_on,
        'past_due' as reason
    from settled_spells
    where past_due_cents > {{ var('settlement_tolerance_cents') }}
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
        restructured_on,
        {{ days_after('restructured_on', 1) }},
        restructured_on,
        'restructured'
    from facilities
    where restructured_on is not null
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
        facilities.restructured_on
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
        ) as clean_from,
        case
            when restructured_on < from_on then {{ var('cure_days_restructured') }}
            else {{ var('cure_days') }}
        end as cure_days
    from bounded_spells
),

runs as (
    select
        *,
        sum(case when {{ days_between('clean_from', 'from_on') }} >= cure_days then 1 else 0 end) over (
            partition by facility_key
            order by from_on, until_on
            rows unbounded preceding
        ) as run_no
    from gaps
),

episodes as (
    select
        facility_key,
        facility_id,
        customer_id,
        run_no,
        min(default_on) as default_on,
        max(until_on) as clean_from,
        max(case when restructured_on < until_on then {{ var('cure_days_restructured') }} else {{ var('cure_days') }} end)
            as cure_days
    from runs
    group by facility_key, facility_id, customer_id, run_no
    having min(default_on) is not null
),

first_reasons as (
    select
        facility_key,
        run_no,
        default_on,
        min(reason) as reason
    from runs
    where default_on is not null
    group by facility_key, run_no, default_on
)

select
    {{ book() }} as book,
    episodes.facility_id,
    episodes.facility_key,
    episodes.customer_id,
    episodes.default_on,
    case
        when episodes.clean_from <= {{ as_of() }}
            and {{ days_after('episodes.clean_from', 'episodes.cure_days - 1') }} <= {{ as_of() }}
            then {{ days_after('episodes.clean_from', 'episodes.cure_days - 1') }}
    end as cured_on,
    first_reasons.reason
from episodes
inner join first_reasons
    on
        episodes.facility_key = first_reasons.facility_key
        and episodes.run_no = first_reasons.run_no
        and episodes.default_on = first_reasons.default_on
