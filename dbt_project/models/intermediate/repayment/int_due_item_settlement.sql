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
    select
        facility_key as scope_key,
        due_item_id,
        value_date,
        applied_cents,
        pool_cents
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
        cast(null as bigint) as due_through_cents
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
        case
            when reached.amount_cents < 0 or reached.level_cents <= coalesce(paid_in_all.least_ever_cents, 0)
                then reached.due_date
            else reached.reached_on
        end as settled_on,
        coalesce(paid_in_all.paid_cents, 0) - reached.due_through_cents + reached.amount_cents as paid_here_cents
    from reached
    left join paid_in_all on reached.scope_key = paid_in_all.scope_key
    where reached.is_due = 1
),

-- Facilities with named payments: their open items after every day on which something was paid. The first
-- day stands for the time before any payment.

queue_items as (
    select
        due_ladder.scope_key,
        due_ladder.due_item_id,
        due_ladder.sequence_no,
        due_ladder.due_date,
        cast('0001-01-01' as date) as enters_on,
        due_ladder.amount_cents
    from due_ladder
    inner join named_facilities on due_ladder.scope_key = named_facilities.scope_key
    where due_ladder.amount_cents > 0
),

queue_looks as (
    select distinct
        credit_entries.scope_key,
        credit_entries.value_date as look_on,
        credit_entries.value_date as looks_until
    from credit_entries
    inner join named_facilities on credit_entries.scope_key = named_facilities.scope_key
    union all
    select
        scope_key,
        cast('0001-01-01' as date),
        cast('0001-01-01' as date)
    from named_facilities
),

{{ open_item_ctes() }},

next_looks as (
    select
        scope_key,
        look_on,
        lead(look_on) over (partition by scope_key order by look_on) as next_look_on,
        row_number() over (partition by scope_key order by look_on desc) as newest
    from queue_looks
),

last_open as (
    select
        open_items.scope_key,
        open_items.due_item_id,
        max(open_items.look_on) as look_on,
        max(case when next_looks.newest = 1 then open_items.unpaid_cents end) as unpaid_cents
    from open_items
    inner join next_looks
        on
            open_items.scope_key = next_looks.scope_key
            and open_items.look_on = next_looks.look_on
    group by open_items.scope_key, open_items.due_item_id
),

named_first as (
    select
        due_ladder.scope_key,
        due_ladder.due_item_id,
        due_ladder.kind,
        due_ladder.sequence_no,
        due_ladder.issued_on,
        due_ladder.due_date,
        due_ladder.amount_cents,
        due_ladder.principal_cents,
        due_ladder.due_through_cents,
        case
            when last_open.look_on is null then due_ladder.due_date
            else next_looks.next_look_on
        end as settled_on,
        due_ladder.amount_cents - coalesce(last_open.unpaid_cents, 0) as paid_here_cents
    from due_ladder
    inner join named_facilities on due_ladder.scope_key = named_facilities.scope_key
    left join last_open
        on
            due_ladder.scope_key = last_open.scope_key
            and due_ladder.due_item_id = last_open.due_item_id
    left join next_looks
        on
            last_open.scope_key = next_looks.scope_key
            and last_open.look_on = next_looks.look_on
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
        settlement.due_through_cents
    from settlement
    inner join facilities on settlement.scope_key = facilities.facility_key
)

select * from final
