with facilities as (
    select *
    from {{ ref('int_facility') }}
    where book = {{ book() }}
),

due_items as (
    select *
    from {{ ref('stg_due_items') }}
    where known_until is null
),

credit_entries as (
    select *
    from {{ ref('int_credit_entry') }}
    where book = {{ book() }}
),

scoped_due_items as (
    select
        due_items.facility_key as scope_key,
        due_items.due_item_id,
        due_items.kind,
        due_items.issued_on,
        due_items.due_date,
        due_items.amount_cents,
        due_items.principal_cents
    from due_items
    inner join facilities on due_items.facility_key = facilities.facility_key
),

{{ due_ladder_cte() }},

named_facilities as (
    select distinct facility_key
    from credit_entries
    where due_item_id is not null
),

pooled_facilities as (
    select facility_key
    from credit_entries
    where facility_key in (select named_facilities.facility_key from named_facilities)
    group by facility_key
    having max(abs(pool_cents)) > 0
),

-- Facilities without named payments: what is paid by each date, and the least it ever falls to from then on.

paid_from_the_end as (
    select
        facility_key,
        value_date,
        pool_cents,
        {{ sum_cents('pool_cents', 'partition by facility_key') }} as paid_in_all_cents,
        {{ sum_cents('pool_cents', 'partition by facility_key order by value_date desc, pool_cents'
            ' rows unbounded preceding') }} as paid_from_here_cents
    from credit_entries
    where facility_key not in (select named_facilities.facility_key from named_facilities)
),

paid_for_good as (
    select
        facility_key,
        value_date,
        min(paid_in_all_cents - paid_from_here_cents + pool_cents) over (
            partition by facility_key
            order by value_date desc, pool_cents
            rows unbounded preceding
        ) as least_paid_cents
    from paid_from_the_end
),

levels as (
    select
        scope_key as facility_key,
        due_through_cents - {{ var('settlement_tolerance_cents') }} as level_cents,
        1 as is_due,
        cast(null as date) as value_date,
        due_item_id,
        kind,
        sequence_no,
        issued_on,
        due_date,
        amount_cents,
        principal_cents,
        due_through_cents
    from due_ladder
    where scope_key not in (select named_facilities.facility_key from named_facilities)
    union all
    select
        facility_key,
        least_paid_cents as level_cents,
        0 as is_due,
        value_date,
        cast(null as text) as due_item_id,
        cast(null as text) as kind,
        cast(null as integer) as sequence_no,
        cast(null as date) as issued_on,
        cast(null as date) as due_date,
        cast(null as bigint) as amount_cents,
        cast(null as bigint) as principal_cents,
        cast(null as bigint) as due_through_cents
    from paid_for_good
),

-- An item is settled from the first date on whose payments reach its level for good.
reached as (
    select
        *,
        min(value_date) over (
            partition by facility_key
            order by level_cents desc, is_due
            rows unbounded preceding
        ) as reached_on
    from levels
),

paid_in_all as (
    select
        facility_key,
        max(paid_in_all_cents) as paid_cents,
        least(min(paid_in_all_cents - paid_from_here_cents + pool_cents), 0) as least_ever_cents
    from paid_from_the_end
    group by facility_key
),

oldest_first as (
    select
        reached.facility_key,
        reached.due_item_id,
        reached.kind,
        reached.sequence_no,
        reached.issued_on,
        reached.due_date,
        reached.amount_cents,
        reached.principal_cents,
        reached.due_through_cents,
        case
            when reached.amount_cents < 0 or reached.level_cents <= coalesce(paid_in_all.least_ever_cents, 0)
                then reached.due_date
            else reached.reached_on
        end as settled_on,
        coalesce(paid_in_all.paid_cents, 0) - reached.due_through_cents + reached.amount_cents as paid_here_cents
    from reached
    left join paid_in_all on reached.facility_key = paid_in_all.facility_key
    where reached.is_due = 1
),

-- Facilities with named payments: the state of each item after every day on which something was paid.

named_items as (
    select due_ladder.*
    from due_ladder
    inner join named_facilities on due_ladder.scope_key = named_facilities.facility_key
),

named_days as (
    select
        credit_entries.facility_key,
        credit_entries.value_date,
        {{ sum_cents('credit_entries.pool_cents') }} as pool_cents
    from credit_entries
    inner join named_facilities on credit_entries.facility_key = named_facilities.facility_key
    group by credit_entries.facility_key, credit_entries.value_date
),

-- The first day stands for the time before any payment.
named_pool as (
    select
        facility_key,
        cast('0001-01-01' as date) as value_date,
        cast(0 as bigint) as pool_to_date
    from named_facilities
    union all
    select
        facility_key,
        value_date,
        {{ sum_cents('pool_cents', 'partition by facility_key order by value_date rows unbounded preceding') }}
            as pool_to_date
    from named_days
),

applied_days as (
    select
        facility_key,
        due_item_id,
        value_date,
        {{ sum_cents('applied_cents') }} as applied_cents
    from credit_entries
    where due_item_id is not null
    group by facility_key, due_item_id, value_date
),

-- Items x days; where a facility has no pool, only the days on which the item itself was paid.
item_days as (
    select
        named_items.scope_key as facility_key,
        named_items.due_item_id,
        named_items.sequence_no,
        named_items.amount_cents,
        named_pool.value_date,
        named_pool.pool_to_date,
        coalesce(applied_days.applied_cents, 0) as applied_cents
    from named_items
    inner join named_pool on named_items.scope_key = named_pool.facility_key
    left join applied_days
        on
            named_items.scope_key = applied_days.facility_key
            and named_items.due_item_id = applied_days.due_item_id
            and named_pool.value_date = applied_days.value_date
    where
        named_items.amount_cents >= 0
        and (
            applied_days.applied_cents is not null
            or named_pool.value_date = cast('0001-01-01' as date)
            or named_items.scope_key in (select pooled_facilities.facility_key from pooled_facilities)
        )
),

item_positions as (
    select
        *,
        {{ sum_cents('applied_cents', 'partition by facility_key, due_item_id order by value_date'
            ' rows unbounded preceding') }} as applied_to_date
    from item_days
),

item_queues as (
    select
        *,
        {{ sum_cents('amount_cents - applied_to_date', 'partition by facility_key, value_date order by sequence_no'
            ' rows unbounded preceding') }} as open_through_cents
    from item_positions
),

item_states as (
    select
        facility_key,
        due_item_id,
        value_date,
        amount_cents,
        applied_to_date,
        (amount_cents > 0 and applied_to_date = amount_cents)
        or pool_to_date >= open_through_cents - {{ var('settlement_tolerance_cents') }} as is_settled,
        least(
            greatest(pool_to_date - open_through_cents + amount_cents - applied_to_date, 0),
            amount_cents - applied_to_date
        ) as from_pool_cents
    from item_queues
),

item_last_open as (
    select
        *,
        max(case when not is_settled then value_date end) over (partition by facility_key, due_item_id) as last_open_on,
        row_number() over (partition by facility_key, due_item_id order by value_date desc) as newest
    from item_states
),

item_outcomes as (
    select
        facility_key,
        due_item_id,
        min(case when last_open_on is null or value_date > last_open_on then value_date end) as settled_on,
        max(case when newest = 1 then applied_to_date + from_pool_cents end) as paid_here_cents
    from item_last_open
    group by facility_key, due_item_id
),

named_first as (
    select
        named_items.scope_key as facility_key,
        named_items.due_item_id,
        named_items.kind,
        named_items.sequence_no,
        named_items.issued_on,
        named_items.due_date,
        named_items.amount_cents,
        named_items.principal_cents,
        named_items.due_through_cents,
        case
            when named_items.amount_cents <= 0 or item_outcomes.settled_on = cast('0001-01-01' as date)
                then named_items.due_date
            else item_outcomes.settled_on
        end as settled_on,
        coalesce(item_outcomes.paid_here_cents, 0) as paid_here_cents
    from named_items
    left join item_outcomes
        on
            named_items.scope_key = item_outcomes.facility_key
            and named_items.due_item_id = item_outcomes.due_item_id
),

settlement as (
    select * from oldest_first
    union all
    select * from named_first
),

final as (
    select
        {{ book() }} as book,
        settlement.due_item_id,
        facilities.facility_id,
        settlement.facility_key,
        facilities.customer_id,
        settlement.kind,
        settlement.sequence_no,
        settlement.issued_on,
        settlement.due_date,
        {{ from_cents('settlement.amount_cents') }} as amount_due,
        case when settlement.settled_on <= {{ as_of() }} then settlement.settled_on end as settled_on,
        {{ from_cents("case
            when settlement.settled_on <= " ~ as_of() ~ " then settlement.amount_cents
            else least(greatest(settlement.paid_here_cents, 0), greatest(settlement.amount_cents, 0))
        end") }} as paid_amount,
        settlement.amount_cents,
        settlement.principal_cents,
        settlement.due_through_cents
    from settlement
    inner join facilities on settlement.facility_key = facilities.facility_key
)

select * from final
