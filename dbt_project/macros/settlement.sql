{#
Cents by which an item may be short and still count as settled (domain.md#tolerance): the book's or, in a book with
products that have their own, that of the facility's product. `key` tells the rows of CTE `facilities`, which has
product_id, apart.
#}
{% macro settlement_tolerance(key, facilities, facilities_key='facility_key') -%}
    {%- set choices, products = var('settlement_tolerances'), [] -%}
    {%- set of_book = choices.get(var('book'), var('settlement_tolerance_cents')) -%}
    {%- for name, cents in choices.items() if name.startswith(var('book') ~ '/') -%}
        {%- do products.append((name[(var('book') | length) + 1:], cents)) -%}
    {%- endfor -%}
    {%- if not products -%}
        {{ of_book }}
    {%- else -%}
        case
            {%- for product_id, cents in products %}
            when {{ key }} in (
                select tolerated.{{ facilities_key }} from {{ facilities }} as tolerated
                where tolerated.product_id = '{{ product_id | replace("'", "''") }}'
            ) then {{ cents }}
            {%- endfor %}
            else {{ of_book }}
        end
    {%- endif -%}
{%- endmacro %}

{#
Where the running sum of each scope's dues stands after each item, oldest first (domain.md#settlement).

Reads CTE `scoped_due_items` (scope_key, due_item_id, due_date, amount_cents, principal_cents, ...) and ends with CTE `name`: its
columns, sequence_no, due_through_cents and principal_through_cents. A red-letter item is a credit, not a due: it stands on the ladder with
nothing.
#}
{% macro due_ladder_cte(name='due_ladder') %}
{{ name }} as (
    select
        *,
        cast(row_number() over (partition by scope_key order by due_date, due_item_id) as integer) as sequence_no,
        {{ sum_cents('greatest(amount_cents, 0)', 'partition by scope_key order by due_date, due_item_id'
            ' rows unbounded preceding') }} as due_through_cents,
        {{ sum_cents('case when amount_cents > 0 then coalesce(principal_cents, 0) else 0 end',
            'partition by scope_key order by due_date, due_item_id'
            ' rows unbounded preceding') }} as principal_through_cents
    from scoped_due_items
)
{%- endmacro %}

{#
From which day each item of `ladder` (scope_key, sequence_no, issued_on, due_date) stands in the queue: from that on
which it, or an item that is due later, is issued. CTE `name`: the ladder's columns and enters_on.
#}
{% macro queue_entry_cte(name, ladder) -%}
{{ name }} as (
    select
        *,
        min(coalesce(issued_on, due_date)) over (
            partition by scope_key
            order by sequence_no desc
            rows unbounded preceding
        ) as enters_on
    from {{ ladder }}
)
{%- endmacro %}

{#
CTE `queue_items` of `open_item_ctes`: what is late of the scopes in CTE `queued`, each item from the day after it is due.
Reads the CTEs due_ladder and scopes.
#}
{% macro queue_items_cte(queued) -%}
queue_items as (
    select
        scope_key,
        due_item_id,
        sequence_no,
        due_date,
        {{ days_after('due_date', 1) }} as enters_on,
        amount_cents,
        {{ settlement_tolerance('scope_key', 'scopes', 'scope_key') }} as tolerance_cents
    from due_ladder
    where
        amount_cents > 0
        and scope_key in (select {{ queued }}.scope_key from {{ queued }})
)
{%- endmacro %}

{#
The items that are open on given days where payments name items: each is first settled by the payments
that name it, the rest oldest first from the pool (domain.md#settlement).

Reads the CTEs
    queue_items: scope_key, due_item_id, sequence_no, due_date, enters_on, amount_cents > 0, tolerance_cents
    queue_looks: scope_key, look_on and the last_day for which the look holds: an item is in it if enters_on <= last_day
    credit_entries: scope_key, due_item_id, value_date, applied_cents, pool_cents
and ends with `open_items`: scope_key, look_on, last_day, due_item_id, due_date, unpaid_cents.
An item that is not among them is settled on that day: what is applied to it reaches its amount less the tolerance. What
queues behind an item starts from its full amount.
#}
{% macro open_item_ctes() %}
named_days as (
    select
        scope_key,
        due_item_id,
        value_date,
        {{ sum_cents('applied_cents') }} as applied_cents
    from credit_entries
    where
        due_item_id is not null
        and scope_key in (select queue_items.scope_key from queue_items)
    group by scope_key, due_item_id, value_date
),

named_to_date as (
    select
        *,
        {{ sum_cents('applied_cents', 'partition by scope_key, due_item_id order by value_date'
            ' rows unbounded preceding') }} as applied_to_date
    from named_days
),

-- From `full_from` on the payments that name an item cover it for good.
named_short as (
    select
        named_to_date.scope_key,
        named_to_date.due_item_id,
        named_to_date.value_date,
        max(case when named_to_date.applied_to_date < queue_items.amount_cents then named_to_date.value_date end) over (
            partition by named_to_date.scope_key, named_to_date.due_item_id
        ) as last_short_on
    from named_to_date
    inner join queue_items
        on
            named_to_date.scope_key = queue_items.scope_key
            and named_to_date.due_item_id = queue_items.due_item_id
),

named_full as (
    select
        scope_key,
        due_item_id,
        min(case when last_short_on is null or value_date > last_short_on then value_date end) as full_from
    from named_short
    group by scope_key, due_item_id
),

pool_days as (
    select
        scope_key,
        value_date as day,
        pool_cents
    from credit_entries
    where scope_key in (select queue_items.scope_key from queue_items)
    union all
    select
        scope_key,
        look_on,
        cast(0 as bigint)
    from queue_looks
),

pool_changes as (
    select
        scope_key,
        day,
        {{ sum_cents('pool_cents') }} as pool_cents
    from pool_days
    group by scope_key, day
),

pools as (
    select
        scope_key,
        day,
        {{ sum_cents('pool_cents', 'partition by scope_key order by day rows unbounded preceding') }} as pool_to_date
    from pool_changes
),

looked_at as (
    select
        queue_items.scope_key,
        queue_items.due_item_id,
        queue_items.sequence_no,
        queue_items.due_date,
        queue_items.amount_cents,
        queue_items.tolerance_cents,
        queue_looks.look_on,
        queue_looks.last_day
    from queue_items
    inner join queue_looks
        on
            queue_items.scope_key = queue_looks.scope_key
            and queue_items.enters_on <= queue_looks.last_day
    left join named_full
        on
            queue_items.scope_key = named_full.scope_key
            and queue_items.due_item_id = named_full.due_item_id
    where
        named_full.full_from is null
        or queue_looks.look_on < named_full.full_from
),

partly_paid as (
    select
        looked_at.scope_key,
        looked_at.due_item_id,
        looked_at.look_on,
        {{ sum_cents('named_days.applied_cents') }} as applied_cents
    from looked_at
    inner join named_days
        on
            looked_at.scope_key = named_days.scope_key
            and looked_at.due_item_id = named_days.due_item_id
            and looked_at.look_on >= named_days.value_date
    group by looked_at.scope_key, looked_at.due_item_id, looked_at.look_on
),

queues as (
    select
        looked_at.*,
        coalesce(partly_paid.applied_cents, 0) as applied_cents,
        looked_at.amount_cents - coalesce(partly_paid.applied_cents, 0) as open_cents,
        {{ sum_cents(
            'looked_at.amount_cents - coalesce(partly_paid.applied_cents, 0)',
            'partition by looked_at.scope_key, looked_at.look_on order by looked_at.sequence_no rows unbounded preceding'
        ) }} as open_through_cents
    from looked_at
    left join partly_paid
        on
            looked_at.scope_key = partly_paid.scope_key
            and looked_at.due_item_id = partly_paid.due_item_id
            and looked_at.look_on = partly_paid.look_on
),

open_items as (
    select
        queues.scope_key,
        queues.look_on,
        queues.last_day,
        queues.due_item_id,
        queues.due_date,
        least(queues.open_through_cents - pools.pool_to_date, queues.open_cents) as unpaid_cents
    from queues
    inner join pools
        on
            queues.scope_key = pools.scope_key
            and queues.look_on = pools.day
    where
        queues.open_cents > case when queues.applied_cents > 0 then queues.tolerance_cents else 0 end
        and pools.pool_to_date < queues.open_through_cents - queues.tolerance_cents
)
{%- endmacro %}
