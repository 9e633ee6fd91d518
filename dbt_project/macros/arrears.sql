{#
The arrears timeline (domain.md#days-past-due): CTE `arrears_spells`: scope_key, from_on, until_on, late_since,
late_since_undisputed. A spell is a stretch of days of a scope, from from_on to the day before until_on, over which
nothing changes but the date: on each of its days the scope is late since `late_since`, if that lies before the day.
Spells reach over the dues that are known to come, so that no row changes because days pass; those without a day past
due are left out. Which items are settled on a day follows from what was paid by that day alone.

Reads the CTEs
    scopes: scope_key, basis, customer_type, product_id, principal_cents
    due_ladder: scope_key, due_item_id, sequence_no, issued_on, due_date, amount_cents, principal_cents,
        due_through_cents, principal_through_cents
    credit_entries: scope_key, due_item_id, value_date, cash_cents, applied_cents, pool_cents
    disputes (none: nothing is in dispute): scope_key, due_item_id, opened_on, closed_on
    snapshots: scope_key, month_end, balance_cents

Days count from the due date of the oldest item that is not settled; where only material ones do, from the day before
the first of them (materiality.sql).
#}
{% macro arrears_spells_cte(disputes='disputes') %}
arrears_spells as (
    {%- if counts_material_only() %}
    with {{ material_runs_cte(disputes) }},

    turns as (
        select
            scope_key,
            from_on as day
        from material_runs
        union
        select
            scope_key,
            until_on
        from material_runs
    ),

    stretches as (
        select
            scope_key,
            day as from_on,
            lead(day) over (partition by scope_key order by day) as until_on
        from turns
    )

    select
        stretches.scope_key,
        stretches.from_on,
        stretches.until_on,
        {%- for counts, name in {'all': 'late_since', 'undisputed': 'late_since_undisputed'}.items() %}
        max(
            case when material_runs.counts = '{{ counts }}' then {{ days_after('material_runs.from_on', -1) }} end
        ) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from stretches
    inner join material_runs
        on
            stretches.scope_key = material_runs.scope_key
            and stretches.from_on >= material_runs.from_on
            and stretches.from_on < material_runs.until_on
    group by stretches.scope_key, stretches.from_on, stretches.until_on
    {%- else %}
    with item_scopes as (
        select distinct scope_key
        from credit_entries
        where due_item_id is not null
        {%- if disputes %}
        union
        select scope_key
        from {{ disputes }}
        {%- endif %}
    ),

    -- Oldest first: after each day on which something was paid, the lowest item whose level that does not reach.

    paid_days as (
        select
            scope_key,
            value_date as day,
            {{ sum_cents('pool_cents') }} as pool_cents
        from credit_entries
        where scope_key not in (select item_scopes.scope_key from item_scopes)
        group by scope_key, value_date
        union all
        select
            scope_key,
            {{ beginning_of_time() }},
            cast(0 as bigint)
        from due_ladder
        where
            sequence_no = 1
            and scope_key not in (select item_scopes.scope_key from item_scopes)
    ),

    levels as (
        select
            scope_key,
            1 as is_due,
            due_through_cents - {{ settlement_tolerance('scope_key', 'scopes', 'scope_key') }} as level_cents,
            due_date,
            cast(null as date) as from_on,
            cast(null as date) as until_on
        from due_ladder
        where
            amount_cents > 0
            and scope_key not in (select item_scopes.scope_key from item_scopes)
        union all
        select
            scope_key,
            0,
            {{ sum_cents('pool_cents', 'partition by scope_key order by day rows unbounded preceding') }},
            cast(null as date),
            day,
            coalesce(lead(day) over (partition by scope_key order by day), {{ end_of_time() }})
        from paid_days
    ),

    oldest_first as (
        select
            scope_key,
            is_due,
            from_on,
            until_on,
            min(due_date) over (
                partition by scope_key
                order by level_cents desc, is_due
                rows unbounded preceding
            ) as late_since
        from levels
    ),

    -- Named and disputed items: each by itself, on the days on which something is paid or disputed.

    {{ queue_items_cte('item_scopes') }},

    look_days as (
        select scope_key, {{ beginning_of_time() }} as look_on from item_scopes
        union
        select scope_key, value_date from credit_entries
        where scope_key in (select item_scopes.scope_key from item_scopes)
        {%- if disputes %}
        union
        select scope_key, opened_on from {{ disputes }}
        union
        select scope_key, closed_on from {{ disputes }}
        {%- endif %}
    ),

    queue_looks as (
        select
            scope_key,
            look_on,
            coalesce(lead(look_on) over (partition by scope_key order by look_on), {{ end_of_time() }}) - 1 as last_day
        from look_days
        where look_on < {{ end_of_time() }}
    ),

    {{ open_item_ctes() }},

    open_spells as (
        select
            open_items.scope_key,
            open_items.look_on as from_on,
            {{ days_after('open_items.last_day', 1) }} as until_on,
            min(open_items.due_date) as late_since,
            {%- if disputes %}
            min(case when contested.due_item_id is null then open_items.due_date end) as late_since_undisputed
            {%- else %}
            min(open_items.due_date) as late_since_undisputed
            {%- endif %}
        from open_items
        {%- if disputes %}
        left join {{ disputes }} as contested
            on
                open_items.scope_key = contested.scope_key
                and open_items.due_item_id = contested.due_item_id
                and open_items.look_on >= contested.opened_on
                and open_items.look_on < contested.closed_on
        {%- endif %}
        group by open_items.scope_key, open_items.look_on, open_items.last_day
    )

    select
        scope_key,
        from_on,
        until_on,
        late_since,
        late_since as late_since_undisputed
    from oldest_first
    where
        is_due < 1
        and {{ days_after('late_since', 1) }} < until_on
    union all
    select
        scope_key,
        from_on,
        until_on,
        late_since,
        late_since_undisputed
    from open_spells
    where {{ days_after('late_since', 1) }} < until_on
    {%- endif %}
)
{%- endmacro %}

{# First day of a spell that is past due, if that lies before its until_on; `since` names the column looked at. #}
{% macro late_from(spell, since='late_since') -%}
    {{ day_of_arrears(spell, since, 1) }}
{%- endmacro %}

{# First day of a spell that is more than 90 undisputed days past due, if that lies before its until_on. #}
{% macro over_90_from(spell) -%}
    {{ day_of_arrears(spell, 'late_since_undisputed', 91) }}
{%- endmacro %}

{% macro day_of_arrears(spell, since, days) -%}
    case
        when {{ spell }}.{{ since }} is not null
            then greatest({{ spell }}.from_on, {{ days_after(spell ~ '.' ~ since, days) }})
    end
{%- endmacro %}
