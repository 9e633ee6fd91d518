{#
Where the running sum of each scope's dues stands before and after each item, oldest first.

Reads CTE `scoped_due_items` (scope_key, due_item_id, due_date, amount_cents, principal_cents, ...) and
ends with `due_ladder`: its columns and sequence_no, due_before_cents, due_through_cents. A red-letter
item is a credit, not a due: it stands on the ladder with nothing.
#}
{% macro due_ladder_cte() %}
due_ladder as (
    select
        *,
        cast(row_number() over (partition by scope_key order by due_date, due_item_id) as integer) as sequence_no,
        {{ sum_cents('greatest(amount_cents, 0)', 'partition by scope_key order by due_date, due_item_id'
            ' rows unbounded preceding') }} as due_through_cents
    from scoped_due_items
)
{%- endmacro %}
