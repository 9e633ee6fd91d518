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

arrears as (
    select *
    from {{ ref('int_arrears_spell') }}
    where
        book = {{ book() }}
        and {{ among('facility_key', 'watched') }}
        and from_on <= {{ as_of() }}
),

first_items as (
    select facility_key
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ among('facility_key', 'snapshots') }}
        and sequence_no = 1
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
    left join first_items on snapshots.facility_key = first_items.facility_key
    where
        first_items.facility_key is null
        and snapshots.reported_dpd is not null
),

-- Days on which a facility is past due, or classed as bad by a person, and where in them a default event begins.
raw_spells as (
    select
        facility_key,
        'past_due' as reason,
        {{ late_from('arrears', 'late_since_undisputed') }} as from_on,
        until_on,
        case
            when {{ over_90_from('arrears') }} < least(until_on, {{ days_after(as_of(), 1) }})
                then {{ over_90_from('arrears') }}
        end as struck_on
    from arrears
    where {{ late_from('arrears', 'late_since_undisputed') }} < least(until_on, {{ days_after(as_of(), 1) }})
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
