{#
Runs of days on which a facility is non-performing (domain.md#non-performing, five-tier class and its upgrade): from
the first event that made it so until it is upgraded, which takes that nothing is past due, nor classed as bad by a
person, for some months and some instalments, whichever is longer; being late again begins that anew.

Reads the CTEs
    spells: facility_key, from_on, until_on, struck_on (null: of itself it makes nothing non-performing)
    facilities: facility_key, basis
and ends with `name`: facility_key, struck_on, clean_from, upgraded_on (the end of time where nothing tells yet).
#}
{% macro non_performing_runs_cte(name, spells) %}
{{ name }}_reaches as (
    select
        *,
        max(until_on) over (partition by facility_key order by from_on, until_on rows unbounded preceding) as clean_from
    from {{ spells }}
),

-- Nothing but a loan has instalments of which months could pass without one.
{{ name }}_upgrades as (
    select
        cleared.facility_key,
        cleared.clean_from,
        greatest(
            {{ same_day_after('cleared.clean_from', var('class_upgrade_months')) }},
            instalments.last_due_on
        ) as upgraded_on
    from (
        select distinct
            facility_key,
            clean_from
        from {{ name }}_reaches
        where clean_from < {{ end_of_time() }}
    ) as cleared
    left join facilities on cleared.facility_key = facilities.facility_key
    left join lateral (
        select max(next_dues.due_date) as last_due_on
        from (
            select distinct items.due_date
            from {{ ref('int_due_item_settlement') }} as items
            where
                items.book = {{ book() }}
                and items.facility_key = cleared.facility_key
                and items.due_date > cleared.clean_from
                and items.amount_cents > 0
                and items.kind <> 'fee'
                and facilities.basis = 'loan'
            order by items.due_date
            limit {{ var('class_upgrade_instalments') }}
        ) as next_dues
    ) as instalments on true
),

{{ name }}_dated as (
    select
        reaches.*,
        coalesce(upgrades.upgraded_on, {{ end_of_time() }}) as upgraded_on
    from {{ name }}_reaches as reaches
    left join {{ name }}_upgrades as upgrades
        on
            reaches.facility_key = upgrades.facility_key
            and reaches.clean_from = upgrades.clean_from
),

{{ name }}_gaps as (
    select
        *,
        lag(upgraded_on) over (partition by facility_key order by from_on, until_on) as upgraded_before
    from {{ name }}_dated
),

{{ name }}_numbered as (
    select
        *,
        sum(case when from_on > upgraded_before then 1 else 0 end) over (
            partition by facility_key
            order by from_on, until_on
            rows unbounded preceding
        ) as run_no
    from {{ name }}_gaps
),

{{ name }} as (
    select
        facility_key,
        min(struck_on) as struck_on,
        max(clean_from) as clean_from,
        max(upgraded_on) as upgraded_on
    from {{ name }}_numbered
    group by facility_key, run_no
    having min(struck_on) is not null
)
{%- endmacro %}

{#
Stretches of days covered by the intervals of CTE `intervals` (`key`, from_on, until_on), those that touch being one:
CTE `name`: key, from_on, until_on.
#}
{% macro islands_cte(name, intervals, key) %}
{{ name }}_reaches as (
    select
        {{ key }},
        from_on,
        until_on,
        max(until_on) over (
            partition by {{ key }}
            order by from_on, until_on
            rows between unbounded preceding and 1 preceding
        ) as reached_on
    from {{ intervals }}
),

{{ name }}_numbered as (
    select
        *,
        sum(case when from_on <= reached_on then 0 else 1 end) over (
            partition by {{ key }}
            order by from_on, until_on
            rows unbounded preceding
        ) as island_no
    from {{ name }}_reaches
),

{{ name }} as (
    select
        {{ key }},
        min(from_on) as from_on,
        max(until_on) as until_on
    from {{ name }}_numbered
    group by {{ key }}, island_no
)
{%- endmacro %}

{#
Defaults of facilities (domain.md#cure): from the first event until a day on which nothing was past due and no event
lasted for as many days in a row as cure takes, that day being the first cured one.

Reads CTE `spells`: facility_key, reason, from_on, until_on, struck_on, cures (`after`: cure takes its days after
until_on; `with`: it may come on until_on). A restructuring has the longer cure, which counts from the end of the
arrears that it cleared, and so has what is late again before that has passed once.
Ends with CTE `name`: facility_key, default_on, clean_from, cured_on (planned; the end of time where nothing tells
yet), reason.
#}
{% macro default_runs_cte(name, spells) %}
{{ name }}_restructurings as (
    select
        restructured.facility_key,
        restructured.reason,
        restructured.from_on,
        coalesce(max(cleared.until_on), restructured.until_on) as until_on,
        restructured.struck_on,
        restructured.cures
    from {{ spells }} as restructured
    left join {{ spells }} as cleared
        on
            restructured.facility_key = cleared.facility_key
            and restructured.from_on >= cleared.from_on
            and {{ days_between('cleared.until_on', 'restructured.from_on') }} < {{ var('cure_days') }}
            and cleared.reason <> 'restructured'
            and cleared.cures = 'after'
    where restructured.reason = 'restructured'
    group by
        restructured.facility_key, restructured.reason, restructured.from_on, restructured.until_on,
        restructured.struck_on, restructured.cures
),

{{ name }}_spells as (
    select
        facility_key,
        reason,
        from_on,
        until_on,
        struck_on,
        cures
    from {{ spells }}
    where reason <> 'restructured'
    union all
    select
        facility_key,
        reason,
        from_on,
        until_on,
        struck_on,
        cures
    from {{ name }}_restructurings
),

{{ name }}_cleared as (
    select
        *,
        max(case when cures = 'after' then until_on end) over before as clean_before,
        max(case when reason = 'restructured' then 1 else 0 end) over (
            partition by facility_key
            order by from_on, until_on, reason
            rows unbounded preceding
        ) as is_restructured
    from {{ name }}_spells
    window
        before as (
            partition by facility_key
            order by from_on, until_on, reason
            rows between unbounded preceding and 1 preceding
        )
),

{{ name }}_probation as (
    select
        *,
        is_restructured = 1
        and sum(
            case
                when
                    is_restructured = 1
                    and cures = 'after'
                    and reason <> 'restructured'
                    and {{ days_between('clean_before', 'from_on') }} >= {{ var('cure_days_restructured') }} then 1
                else 0
            end
        ) over (
            partition by facility_key
            order by from_on, until_on, reason
            rows unbounded preceding
        ) = 0 as is_on_probation
    from {{ name }}_cleared
),

{{ name }}_cures as (
    select
        *,
        case
            when until_on = {{ end_of_time() }} or cures = 'with' then until_on
            when is_on_probation then {{ days_after('until_on', var('cure_days_restructured') - 1) }}
            else {{ days_after('until_on', var('cure_days') - 1) }}
        end as cured_on
    from {{ name }}_probation
),

{{ name }}_reaches as (
    select
        *,
        max(cured_on) over (
            partition by facility_key
            order by from_on, until_on, reason
            rows between unbounded preceding and 1 preceding
        ) as cured_before
    from {{ name }}_cures
),

{{ name }}_numbered as (
    select
        *,
        sum(case when from_on > cured_before then 1 else 0 end) over (
            partition by facility_key
            order by from_on, until_on, reason
            rows unbounded preceding
        ) as run_no
    from {{ name }}_reaches
),

{{ name }}_first as (
    select
        *,
        row_number() over (
            partition by facility_key, run_no
            order by struck_on, {{ default_reason_rank('reason') }}, from_on, until_on
        ) as place
    from {{ name }}_numbered
),

{{ name }} as (
    select
        facility_key,
        min(struck_on) as default_on,
        max(case when cures = 'after' then until_on end) as clean_from,
        max(cured_on) as cured_on,
        max(case when place = 1 then reason end) as reason
    from {{ name }}_first
    group by facility_key, run_no
    having min(struck_on) is not null
)
{%- endmacro %}

{# Which of several events of a day is said to have begun a default. #}
{% macro default_reason_rank(reason) -%}
    case {{ reason }}
        when 'written_off' then 1
        when 'restructured' then 2
        when 'past_due' then 3
        when 'manual' then 4
        when 'contagion_here' then 5
        when 'contagion_elsewhere' then 6
        else 7
    end
{%- endmacro %}
