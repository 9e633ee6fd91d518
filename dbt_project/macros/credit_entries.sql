{#
What counts towards the dues of each scope, by value date (domain.md#red-letter). A scope is a facility as known
at one time.

Reads the CTEs
    scoped_payments: scope_key, value_date, named_due_item_id (null: oldest first), cash_cents
    scoped_due_items: scope_key, due_item_id, due_date, amount_cents
and ends with `credit_entries`: scope_key, due_item_id, value_date, cash_cents, applied_cents,
pool_cents.

A payment that names an item of the scope settles that item first: `applied_cents` go to the item,
what exceeds its amount joins the pool, from which the rest is settled oldest first. A red-letter item is a
credit to the pool from its due date on. Running positions are differenced, so same-day entries add up to the
state at the end of the day.
#}
{% macro credit_entry_ctes() %}
named_payments as (
    select
        payment.scope_key,
        item.due_item_id,
        payment.value_date,
        payment.cash_cents,
        item.amount_cents,
        {{ sum_cents('payment.cash_cents', 'partition by payment.scope_key, item.due_item_id'
            ' order by payment.value_date, payment.cash_cents desc rows unbounded preceding') }} as named_to_date,
        row_number() over (
            partition by payment.scope_key, item.due_item_id
            order by payment.value_date, payment.cash_cents desc
        ) as entry_no
    from scoped_payments as payment
    inner join scoped_due_items as item
        on
            payment.scope_key = item.scope_key
            and payment.named_due_item_id = item.due_item_id
    where
        payment.named_due_item_id is not null
        and item.amount_cents > 0
),

named_positions as (
    select
        *,
        least(greatest(named_to_date, 0), amount_cents) as applied_to_date,
        case
            when named_to_date > amount_cents then named_to_date - amount_cents
            else least(named_to_date, 0)
        end as excess_to_date
    from named_payments
),

named_entries as (
    select
        scope_key,
        due_item_id,
        value_date,
        cash_cents,
        applied_to_date - lag(applied_to_date, 1, cast(0 as bigint)) over (
            partition by scope_key, due_item_id
            order by entry_no
        ) as applied_cents,
        excess_to_date - lag(excess_to_date, 1, cast(0 as bigint)) over (
            partition by scope_key, due_item_id
            order by entry_no
        ) as pool_cents
    from named_positions
),

credit_entries as (
    select
        scope_key,
        due_item_id,
        value_date,
        cash_cents,
        applied_cents,
        pool_cents
    from named_entries
    union all
    select
        payment.scope_key,
        cast(null as text) as due_item_id,
        payment.value_date,
        payment.cash_cents,
        cast(0 as bigint) as applied_cents,
        payment.cash_cents as pool_cents
    from scoped_payments as payment
    where payment.named_due_item_id is null
    union all
    select
        payment.scope_key,
        cast(null as text) as due_item_id,
        payment.value_date,
        payment.cash_cents,
        cast(0 as bigint) as applied_cents,
        payment.cash_cents as pool_cents
    from scoped_payments as payment
    left join scoped_due_items as item
        on
            payment.scope_key = item.scope_key
            and payment.named_due_item_id = item.due_item_id
            and item.amount_cents > 0
    where
        payment.named_due_item_id is not null
        and item.due_item_id is null
    union all
    select
        scope_key,
        cast(null as text) as due_item_id,
        due_date as value_date,
        cast(0 as bigint) as cash_cents,
        cast(0 as bigint) as applied_cents,
        -amount_cents as pool_cents
    from scoped_due_items
    where
        amount_cents < 0
        and due_date <= {{ as_of() }}
)
{%- endmacro %}

{#
Payments of trade credit with the item they name: their own, or that of the payment they reverse.
Payments of loans and cards settle oldest first whatever they name.
#}
{% macro named_due_item(payment, reversed, facility) -%}
    case
        when {{ facility }}.basis = 'trade'
            then coalesce({{ payment }}.due_item_id, {{ reversed }}.due_item_id)
    end
{%- endmacro %}
