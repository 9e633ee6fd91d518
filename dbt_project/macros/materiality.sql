{#
Materiality (domain.md#materiality), a switch that is off by default: days past due count only while what is past due is more
than an amount by customer type and more than a share of the facility's exposure, both; the count starts on the
first day of the breach and ends with it (the day count of EBA RTS 2018/171).
#}

{% macro counts_material_only() -%}
    {{ return(var('materiality') | string | lower == 'true') }}
{%- endmacro %}

{#
CTE `material_runs`: scope_key, counts ('all', or 'undisputed' without the items under dispute), from_on, until_on; the
stretches of days on which what is past due is material, until_on being the first day after. Reads the CTEs of
`arrears_spells_cte`. Exposure is the balance of the panel on that day.
#}
{% macro material_runs_cte(disputes) %}
{%- set flow_columns = [
    'past_due', 'issued', 'issued_billed', 'issued_principal', 'paid', 'pool'
] -%}
material_runs as (
    with owing as (
        select
            scope_key,
            basis,
            principal_cents as lent_cents,
            case
                when customer_type = 'corporate' then {{ to_cents(var('materiality_amount_corporate')) }}
                else {{ to_cents(var('materiality_amount_retail')) }}
            end as least_cents
        from scopes
    ),

    schedules_of_dues as (
        select
            scope_key,
            {{ sum_cents('case when amount_cents > 0 then coalesce(principal_cents, 0) else 0 end') }} as principal_cents
        from due_ladder
        group by scope_key
    ),

    contested as (
        {% if disputes %}
        select
            scope_key,
            due_item_id,
            opened_on,
            closed_on
        from {{ disputes }}
        {% else %}
        select
            scope_key,
            due_item_id,
            due_date as opened_on,
            due_date as closed_on
        from due_ladder
        where false
        {% endif %}
    ),

    reported_balances as (
        select
            scope_key,
            month_end,
            balance_cents
        from snapshots
        where balance_cents is not null
    ),

    queued as (
        select scope_key
        from credit_entries
        where due_item_id is not null
        union
        select scope_key
        from contested
    ),

    -- All that can change what is past due or owed, by day.
    flows as (
        select
            scope_key,
            due_date as day,
            cast(0 as bigint) as past_due_cents,
            cast(0 as bigint) as issued_cents,
            cast(0 as bigint) as issued_billed_cents,
            cast(0 as bigint) as issued_principal_cents,
            0 as issued_with_principal,
            cast(0 as bigint) as paid_cents,
            cast(0 as bigint) as pool_cents,
            0 as is_reported
        from due_ladder
        union all
        select scope_key, {{ days_after('due_date', 1) }}, greatest(amount_cents, 0), 0, 0, 0, 0, 0, 0, 0
        from due_ladder
        union all
        select
            scope_key, {{ owed_from('issued_on', 'due_date', 'amount_cents') }}, 0, amount_cents,
            greatest(amount_cents, 0),
            case when amount_cents > 0 then coalesce(principal_cents, 0) else 0 end,
            case when principal_cents is not null then 1 else 0 end, 0, 0, 0
        from due_ladder
        union all
        select scope_key, value_date, 0, 0, 0, 0, 0, cash_cents, pool_cents, 0
        from credit_entries
        union all
        select scope_key, opened_on, 0, 0, 0, 0, 0, 0, 0, 0
        from contested
        union all
        select scope_key, closed_on, 0, 0, 0, 0, 0, 0, 0, 0
        from contested
        union all
        select scope_key, month_end, 0, 0, 0, 0, 0, 0, 0, 1
        from reported_balances
    ),

    change_flows as (
        select
            flows.scope_key,
            flows.day,
            {% for flow in flow_columns %}
            {{ sum_cents('flows.' ~ flow ~ '_cents') }} as {{ flow }}_cents,
            {% endfor %}
            sum(flows.issued_with_principal) as issued_with_principal,
            max(flows.is_reported) as is_reported
        from flows
        inner join owing on flows.scope_key = owing.scope_key
        where flows.day < {{ end_of_time() }}
        group by flows.scope_key, flows.day
    ),

    running as (
        select
            scope_key,
            day,
            {% for flow in flow_columns %}
            {{ sum_cents(flow ~ '_cents', 'partition by scope_key order by day rows unbounded preceding') }}
                as {{ flow }}_to_date,
            {% endfor %}
            sum(issued_with_principal) over (partition by scope_key order by day rows unbounded preceding)
                as issued_with_principal,
            max(case when is_reported > 0 then day end) over (
                partition by scope_key
                order by day
                rows unbounded preceding
            ) as last_reported_on
        from change_flows
    ),

    exposures as (
        select
            running.scope_key,
            running.day,
            running.past_due_to_date,
            running.pool_to_date,
            owing.least_cents,
            case
                when owing.basis = 'loan' and running.issued_with_principal = 0
                    then greatest({{ disbursed_on_loan('running', 'owing.lent_cents') }} - running.pool_to_date, 0)
                when owing.basis = 'loan'
                    then greatest(
                        {{ disbursed_on_loan('running', 'owing.lent_cents') }}
                        - {{ settled_principal(
                            'running.pool_to_date',
                            'first_open.principal_through_cents - coalesce(first_open.principal_cents, 0)',
                            '(first_open.due_through_cents - first_open.principal_through_cents)',
                            'schedules.principal_cents'
                        ) }},
                        0
                    )
                when owing.basis = 'card' and reported_balances.balance_cents is not null
                    then reported_balances.balance_cents
                else greatest(running.issued_to_date - running.paid_to_date, 0)
            end as exposure_cents
        from running
        inner join owing on running.scope_key = owing.scope_key
        left join schedules_of_dues as schedules on running.scope_key = schedules.scope_key
        left join lateral (
            select
                due_ladder.principal_cents,
                due_ladder.principal_through_cents,
                due_ladder.due_through_cents
            from due_ladder
            where
                due_ladder.scope_key = running.scope_key
                and due_ladder.amount_cents > 0
                and owing.basis = 'loan'
                and due_ladder.due_through_cents - {{ settlement_tolerance('running.scope_key', 'scopes', 'scope_key') }}
                > running.pool_to_date
            order by due_ladder.due_through_cents
            limit 1
        ) as first_open on true
        left join reported_balances
            on
                running.scope_key = reported_balances.scope_key
                and running.last_reported_on = reported_balances.month_end
    ),

    -- Oldest first: what is past due less what was paid, or less what settles the items before the first open one.
    paid_levels as (
        select
            exposures.scope_key,
            exposures.day,
            max(due_ladder.due_through_cents) as settled_cents
        from exposures
        inner join due_ladder
            on
                exposures.scope_key = due_ladder.scope_key
                and due_ladder.due_through_cents > exposures.pool_to_date
                and due_ladder.due_through_cents <= exposures.pool_to_date
                + {{ settlement_tolerance('exposures.scope_key', 'scopes', 'scope_key') }}
        where exposures.past_due_to_date - exposures.pool_to_date > exposures.least_cents
        group by exposures.scope_key, exposures.day
    ),

    {{ queue_items_cte('queued') }},

    queue_looks as (
        select
            scope_key,
            day as look_on,
            day as last_day
        from exposures
        where scope_key in (select queued.scope_key from queued)
    ),

    {{ open_item_ctes() }},

    unpaid as (
        select
            open_items.scope_key,
            open_items.look_on as day,
            {{ sum_cents('open_items.unpaid_cents') }} as all_cents,
            {{ sum_cents('case when contested_days.due_item_id is null then open_items.unpaid_cents else 0 end') }}
                as undisputed_cents
        from open_items
        left join (
            select distinct
                queue_looks.scope_key,
                queue_looks.look_on,
                contested.due_item_id
            from queue_looks
            inner join contested
                on
                    queue_looks.scope_key = contested.scope_key
                    and queue_looks.look_on >= contested.opened_on
                    and queue_looks.look_on < contested.closed_on
        ) as contested_days
            on
                open_items.scope_key = contested_days.scope_key
                and open_items.look_on = contested_days.look_on
                and open_items.due_item_id = contested_days.due_item_id
        group by open_items.scope_key, open_items.look_on
    ),

    past_due as (
        select
            exposures.*,
            exposures.past_due_to_date - greatest(exposures.pool_to_date, paid_levels.settled_cents, 0) as all_cents,
            exposures.past_due_to_date - greatest(exposures.pool_to_date, paid_levels.settled_cents, 0)
                as undisputed_cents
        from exposures
        left join paid_levels
            on
                exposures.scope_key = paid_levels.scope_key
                and exposures.day = paid_levels.day
        where exposures.scope_key not in (select queued.scope_key from queued)
        union all
        select
            exposures.*,
            coalesce(unpaid.all_cents, 0),
            coalesce(unpaid.undisputed_cents, 0)
        from exposures
        left join unpaid
            on
                exposures.scope_key = unpaid.scope_key
                and exposures.day = unpaid.day
        where exposures.scope_key in (select queued.scope_key from queued)
    ),

    judged as (
        {% for counts in ['all', 'undisputed'] %}
        select
            scope_key,
            '{{ counts }}' as counts,
            day,
            coalesce(
                lead(day) over (partition by scope_key order by day), {{ end_of_time() }}
            ) as next_day,
            {{ counts }}_cents > least_cents
            and {{ counts }}_cents > {{ var('materiality_share') }} * exposure_cents as is_material
        from past_due
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ),

    numbered as (
        select
            *,
            sum(case when is_material then 0 else 1 end) over (
                partition by scope_key, counts
                order by day
                rows unbounded preceding
            ) as run_no
        from judged
    )

    select
        scope_key,
        counts,
        min(day) as from_on,
        max(next_day) as until_on
    from numbered
    where is_material
    group by scope_key, counts, run_no
)
{%- endmacro %}
