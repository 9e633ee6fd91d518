{# Delinquency scales: buckets (domain.md#bucket), open facilities (domain.md#open-facility) and reported months
(domain.md#reported-days). #}

{% macro bucket_of(dpd) -%}
    case
        when {{ dpd }} > 180 then 'M7'
        when {{ dpd }} > 150 then 'M6'
        when {{ dpd }} > 120 then 'M5'
        when {{ dpd }} > 90 then 'M4'
        when {{ dpd }} > 60 then 'M3'
        when {{ dpd }} > 30 then 'M2'
        when {{ dpd }} > 0 then 'M1'
        when {{ dpd }} = 0 then 'M0'
    end
{%- endmacro %}

{#
Five-tier class by days as a rank: 1 pass, 2 special mention, 3 substandard, 4 doubtful, 5 loss. Cards have a scale of
their own (card business measures of 2011, art. 92).
#}
{% macro class_rank_of_dpd(dpd, product_type) -%}
    case
        when {{ dpd }} > 360 or {{ dpd }} > 180 and {{ product_type }} = 'revolving_card' then 5
        when {{ dpd }} > 270 or {{ dpd }} > 120 and {{ product_type }} = 'revolving_card' then 4
        when {{ dpd }} > 90 then 3
        when {{ dpd }} > 0 then 2
        else 1
    end
{%- endmacro %}

{# Whether a facility of this status owes or may draw; whoever means "open" asks this. #}
{% macro is_open(status) -%}
    {{ status }} in ('active', 'restructured', 'closed_with_arrears')
{%- endmacro %}

{# Whether it may still be drawn on: closing it ended that, whatever is unpaid. #}
{% macro may_draw(status) -%}
    {{ status }} in ('active', 'restructured')
{%- endmacro %}

{% macro class_rank(class5) -%}
    case {{ class5 }}
        when 'loss' then 5
        when 'doubtful' then 4
        when 'substandard' then 3
        when 'special_mention' then 2
        when 'pass' then 1
    end
{%- endmacro %}

{% macro class_of_rank(rank) -%}
    case {{ rank }}
        when 5 then 'loss'
        when 4 then 'doubtful'
        when 3 then 'substandard'
        when 2 then 'special_mention'
        else 'pass'
    end
{%- endmacro %}

{#
Days past due on `day` (domain.md#days-past-due): those since `late_since`, else those reported, else none. What
stands in a row and what days passing add are kept apart, so that no row changes because days pass.
#}
{% macro days_past_due(late_since, reported_dpd, day) -%}
    coalesce({{ days_between(late_since, day) }}, {{ reported_dpd }}, 0)
{%- endmacro %}

{# Months past due that days past due amount to: 1 for 1-30, 2 for 31-60, ... #}
{% macro months_of_dpd(dpd) -%}
    cast(ceil({{ dpd }} / 30.0) as integer)
{%- endmacro %}

{# Reported months past due map to the top of their bucket: 1 -> 30, 2 -> 60, ...; null where not reported. #}
{% macro dpd_of_months(months) -%}
    case when {{ months }} > 0 then {{ months }} * 30 when {{ months }} <= 0 then 0 end
{%- endmacro %}

{#
CTE `classed`: the rows of CTE `positions` (facility_id, `day`, product_type, status, manual_class, dpd_undisputed, ...)
with class_rank and class_reason (domain.md#five-tier-class). The worst of class by days, class by hand and what keeps
a facility non-performing holds; of what is equally bad the first is said: days, manual, contagion here, contagion
elsewhere, upgrade_wait.
#}
{% macro classed_cte(positions, day) %}
non_performing as (
    select *
    from {{ ref('fct_non_performing') }}
    where book = {{ book() }}
),

kept as (
    select
        positions.facility_id,
        positions.{{ day }},
        min(
            case non_performing.reason
                when 'contagion_here' then 1
                when 'contagion_elsewhere' then 2
                else 3
            end
        ) as place
    from {{ positions }} as positions
    inner join non_performing
        on
            positions.facility_id = non_performing.facility_id
            and positions.{{ day }} >= non_performing.from_on
            and positions.{{ day }} < non_performing.until_on
    where positions.status <> 'closed'
    group by positions.facility_id, positions.{{ day }}
),

ranked as (
    select
        positions.*,
        {{ class_rank_of_dpd('positions.dpd_undisputed', 'positions.product_type') }} as days_rank,
        coalesce({{ class_rank('positions.manual_class') }}, 1) as manual_rank,
        kept.place
    from {{ positions }} as positions
    left join kept
        on
            positions.facility_id = kept.facility_id
            and positions.{{ day }} = kept.{{ day }}
),

classed as (
    select
        *,
        case
            when status = 'written_off' then 5
            else greatest(days_rank, manual_rank, case when place is not null then 3 else 1 end)
        end as class_rank,
        case
            when status = 'written_off' then 'written_off'
            when days_rank >= greatest(manual_rank, 3) then 'days'
            when manual_rank >= 3 then 'manual'
            when place = 1 then 'contagion_here'
            when place = 2 then 'contagion_elsewhere'
            when place = 3 then 'upgrade_wait'
            when days_rank >= greatest(manual_rank, 2) then 'days'
            when manual_rank = 2 then 'manual'
        end as class_reason
    from ranked
)
{%- endmacro %}
