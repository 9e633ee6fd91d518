{{ config(
    follows='facility',
    grain=['due_item_id'],
    indexed=['facility_key', {'columns': 'facility_key', 'rows': 'settled_on is null or settled_on - due_date > 90'}],
    shared=true,
) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

due_items as (
    select *
    from {{ ref('stg_due_items') }}
    where
        is_latest
        and {{ in_scope('facility_key') }}
),

credit_entries as (
    select
        facility_key as scope_key,
        due_item_id,
        value_date,
        applied_cents,
        pool_cents
    from {{ ref('int_credit_entry') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
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
    select distinct scope_key
    from credit_entries
    where due_item_id is not null
),

-- Facilities without named payments: what is paid by each date, and the least it ever falls to from then on.

paid_from_the_end as (
    select
        scope_key,
        value_date,
        pool_cents,
        {{ sum_cents('pool_cents', 'partition by scope_key') }} as paid_in_all_cents,
        {{ sum_cents('pool_cents', 'partition by scope_key order by value_date desc, pool_cents'
            ' rows unbounded preceding') }} as paid_from_here_cents
    from credit_entries
    where scope_key not in (select named_facilities.scope_key from named_facilities)
),

paid_for_good as (
    select
        scope_key,
        value_date,
        min(paid_in_all_cents - paid_from_here_cents + pool_cents) over (
            partition by scope_key
            order by value_date desc, pool_cents
            rows unbounded preceding
        ) as least_paid_cents
    from paid_from_the_end
),

levels as (
    select
        scope_key,
        due_through_cents - {{ settlement_tolerance('scope_key', 'facilities') }} as level_cents,
        1 as is_due,
        cast(null as date) as value_date,
        due_item_id,
        kind,
        sequence_no,
        issued_on,
        due_date,
        amount_cents,
        principal_cents,
        due_through_cents,
        principal_through_cents
    from due_ladder
    where scope_key not in (select named_facilities.scope_key from named_facilities)
    union all
    select
        scope_key,
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
        cast(null as bigint) as due_through_cents,
        cast(null as bigint) as principal_through_cents
    from paid_for_good
),

-- An item is settled from the first date on whose payments reach its level for good.
reached as (
    select
        *,
        min(value_date) over (
            partition by scope_key
            order by level_cents desc, is_due
            rows unbounded preceding
        ) as reached_on
    from levels
),

paid_in_all as (
    select
        scope_key,
        max(paid_in_all_cents) as paid_cents,
        least(min(paid_in_all_cents - paid_from_here_cents + pool_cents), 0) as least_ever_cents
    from paid_from_the_end
    group by scope_key
),

oldest_first as (
    select
        reached.scope_key,
        reached.due_item_id,
        reached.kind,
        reached.sequence_no,
        reached.issued_on,
        reached.due_date,
        reached.amount_cents,
        reached.principal_cents,
        reached.due_through_cents,
        reached.principal_through_cents,
        case
            when reached.amount_cents < 0 or reached.level_cents <= coalesce(paid_in_all.least_ever_cents, 0)
                then reached.due_date
            else reached.reached_on
        end as settled_on,
        coalesce(paid_in_all.paid_cents, 0) - reached.due_through_cents + reached.amount_cents as paid_here_cents
    from reached
    left join paid_in_all on reached.scope_key = paid_in_all.scope_key
    where reached.is_due > 0
),

-- Facilities with named payments: their open items after every day on which something was paid, and at the
-- end. An item queues from the day on which it, or an item that is due later, is issued, at the latest at the end.

{{ queue_entry_cte('entering', 'due_ladder') }},

named_ladder as (
    select entering.*
    from entering
    inner join named_facilities on entering.scope_key = named_facilities.scope_key
),

queue_items as (
    select
        scope_key,
        due_item_id,
        sequence_no,
        due_date,
        least(enters_on, {{ as_of() }}) as enters_on,
        amount_cents,
        {{ settlement_tolerance('scope_key', 'facilities') }} as tolerance_cents
    from named_ladder
    where amount_cents > 0
),

queue_looks as (
    select
        scope_key,
        value_date as look_on,
        value_date as last_day
    from credit_entries
    where
        scope_key in (select named_facilities.scope_key from named_facilities)
        and value_date < {{ as_of() }}
    union
    select
        scope_key,
        {{ as_of() }},
        {{ as_of() }}
    from named_facilities
),

{{ open_item_ctes() }},

last_open as (
    select
        scope_key,
        due_item_id,
        max(look_on) as look_on,
        max(case when look_on = {{ as_of() }} then unpaid_cents end) as unpaid_cents
    from open_items
    group by scope_key, due_item_id
),

next_looks as (
    select
        scope_key,
        look_on,
        lead(look_on) over (partition by scope_key order by look_on) as next_look_on
    from queue_looks
),

-- An item that was never open since it was issued was settled before, by credit or by its own payments.
prepaid_items as (
    select
        named_ladder.scope_key,
        named_ladder.due_item_id,
        named_ladder.sequence_no,
        named_ladder.amount_cents,
        named_ladder.due_through_cents,
        {{ settlement_tolerance('named_ladder.scope_key', 'facilities') }} as tolerance_cents
    from named_ladder
    left join last_open
        on
            named_ladder.scope_key = last_open.scope_key
            and named_ladder.due_item_id = last_open.due_item_id
    where
        named_ladder.amount_cents > 0
        and last_open.due_item_id is null
),

prepaid_flows as (
    select
        prepaid_items.scope_key,
        prepaid_items.due_item_id,
        named_days.value_date as day,
        named_days.applied_cents as credit_cents,
        case
            when named_days.due_item_id = prepaid_items.due_item_id then named_days.applied_cents
            else 0
        end as own_cents
    from prepaid_items
    inner join queue_items
        on
            prepaid_items.scope_key = queue_items.scope_key
            and prepaid_items.sequence_no >= queue_items.sequence_no
    inner join named_days
        on
            queue_items.scope_key = named_days.scope_key
            and queue_items.due_item_id = named_days.due_item_id
    union all
    select
        prepaid_items.scope_key,
        prepaid_items.due_item_id,
        credit_entries.value_date,
        credit_entries.pool_cents,
        cast(0 as bigint)
    from prepaid_items
    inner join credit_entries on prepaid_items.scope_key = credit_entries.scope_key
    where credit_entries.pool_cents <> 0
),

prepaid_flow_days as (
    select
        scope_key,
        due_item_id,
        day,
        {{ sum_cents('credit_cents') }} as credit_cents,
        {{ sum_cents('own_cents') }} as own_cents
    from prepaid_flows
    group by scope_key, due_item_id, day
),

prepaid_positions as (
    select
        scope_key,
        due_item_id,
        day as look_on,
        {{ sum_cents('credit_cents', 'partition by scope_key, due_item_id order by day rows unbounded preceding') }}
            as credit_to_date,
        {{ sum_cents('own_cents', 'partition by scope_key, due_item_id order by day rows unbounded preceding') }}
            as own_to_date
    from prepaid_flow_days
),

prepaid_days as (
    select
        prepaid_positions.scope_key,
        prepaid_positions.due_item_id,
        prepaid_positions.look_on,
        prepaid_positions.own_to_date > 0
        and prepaid_positions.own_to_date >= prepaid_items.amount_cents - prepaid_items.tolerance_cents
        or prepaid_positions.credit_to_date >= prepaid_items.due_through_cents - prepaid_items.tolerance_cents
            as is_settled
    from prepaid_positions
    inner join prepaid_items
        on
            prepaid_positions.scope_key = prepaid_items.scope_key
            and prepaid_positions.due_item_id = prepaid_items.due_item_id
),

prepaid_changes as (
    select
        *,
        max(case when not is_settled then look_on end) over (partition by scope_key, due_item_id) as last_open_on
    from prepaid_days
),

prepaid_settled as (
    select
        scope_key,
        due_item_id,
        min(case when last_open_on is null or look_on > last_open_on then look_on end) as settled_on
    from prepaid_changes
    group by scope_key, due_item_id
),

named_first as (
    select
        named_ladder.scope_key,
        named_ladder.due_item_id,
        named_ladder.kind,
        named_ladder.sequence_no,
        named_ladder.issued_on,
        named_ladder.due_date,
        named_ladder.amount_cents,
        named_ladder.principal_cents,
        named_ladder.due_through_cents,
        named_ladder.principal_through_cents,
        case
            when named_ladder.amount_cents <= 0 then named_ladder.due_date
            when last_open.look_on is not null then next_looks.next_look_on
            when named_ladder.due_through_cents <= {{ settlement_tolerance('named_ladder.scope_key', 'facilities') }} then named_ladder.due_date
            else prepaid_settled.settled_on
        end as settled_on,
        named_ladder.amount_cents - coalesce(last_open.unpaid_cents, 0) as paid_here_cents
    from named_ladder
    left join last_open
        on
            named_ladder.scope_key = last_open.scope_key
            and named_ladder.due_item_id = last_open.due_item_id
    left join next_looks
        on
            last_open.scope_key = next_looks.scope_key
            and last_open.look_on = next_looks.look_on
    left join prepaid_settled
        on
            named_ladder.scope_key = prepaid_settled.scope_key
            and named_ladder.due_item_id = prepaid_settled.due_item_id
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
        settlement.scope_key as facility_key,
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
        settlement.due_through_cents,
        settlement.principal_through_cents
    from settlement
    inner join facilities on settlement.scope_key = facilities.facility_key
)

select * from final
