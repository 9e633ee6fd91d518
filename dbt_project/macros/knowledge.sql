{#
Every version of the rows of a raw source of the run's book that was known by `known_at` (domain.md#point-in-time:
a correction is a new row with the same key).

known_from: when the platform learnt the version; known_until: when it learnt the next one, null
for the latest (is_latest); version_no from 1. Grain: (key, version_no). A tombstone (the row of a
key that is gone) ends the version before it and is none itself.
#}
{% macro known_versions(source, key, known_by=none) -%}
    select *
    from (
        select
            *,
            loaded_at as known_from,
            lead(loaded_at) over (partition by {{ key | join(', ') }} order by loaded_at, _batch_id) as known_until,
            row_number() over (partition by {{ key | join(', ') }} order by loaded_at, _batch_id) as version_no,
            lead(loaded_at) over (partition by {{ key | join(', ') }} order by loaded_at, _batch_id) is null as is_latest
        from {{ source }}
        where
            book = {{ book() }}
            and loaded_at <= {{ known_by or known_at() }}
    ) as known
    where not _deleted
{%- endmacro %}

{#
CTE `versions`: the same of a large source with one column as its key, of which nearly every key came once. Only rows of
keys that came more often are sorted. `rows` is a condition on the rows that are wanted, all of a key or none.
#}
{% macro versions_of_many_cte(source, key, rows) -%}
{%- set wanted -%}
    book = {{ book() }}
        and loaded_at <= {{ known_at() }}
        and {{ rows }}
{%- endset -%}
keys_again as (
    select {{ key }}
    from {{ source }}
    where
        {{ wanted }}
    group by {{ key }}
    having count(*) > 1
),

rows_again as (
    select *
    from {{ source }}
    where
        {{ wanted }}
        and {{ key }} in (select keys_again.{{ key }} from keys_again)
),

versions as (
    select
        *,
        loaded_at as known_from,
        cast(null as timestamp with time zone) as known_until,
        1 as version_no,
        true as is_latest
    from {{ source }}
    where
        {{ wanted }}
        and {{ key }} not in (select keys_again.{{ key }} from keys_again)
        and not _deleted
    union all
    {{ known_versions('rows_again', [key]) | indent(4) }}
)
{%- endmacro %}

{# Whether a version was the one in force at the end of `day`, as known then. #}
{% macro known_at_end_of(version, day) -%}
    {{ version }}.known_from < {{ end_of_day(day) }}
    and ({{ version }}.known_until is null or {{ version }}.known_until >= {{ end_of_day(day) }})
{%- endmacro %}

{#
CTE `<name>_late`: facility_key, first_month_end, learnt_at, cause; one row where a version of a row of
`relation` that is effective by the month end was learnt, or superseded, after it. Of a row that moved to another
facility each of both sees its own part. `thing` is what the cause calls the row.
#}
{% macro late_rows_cte(name, relation, effective, thing) -%}
{{ name }}_told_late as (
    select
        facility_key,
        {{ end_of_day(month_end(effective)) }} as month_over_at,
        {{ month_end(effective) }} as first_month_end,
        known_from,
        known_until,
        version_no
    from {{ relation }}
    where coalesce(known_until, known_from) >= {{ end_of_day(month_end(effective)) }}
),

{{ name }}_late as (
    select
        facility_key,
        first_month_end,
        known_from as learnt_at,
        case when version_no = 1 then 'late_{{ thing }}' else 'corrected_{{ thing }}' end as cause
    from {{ name }}_told_late
    where known_from >= month_over_at
    union all
    select
        facility_key,
        first_month_end,
        known_until as learnt_at,
        'corrected_{{ thing }}' as cause
    from {{ name }}_told_late
    where known_until >= month_over_at
)
{%- endmacro %}

{# An integer that stands for an identifier in joins and sorts. #}
{% macro surrogate_key(identifier) -%}
    {{ return(adapter.dispatch('surrogate_key', 'creditops')(identifier)) }}
{%- endmacro %}

{% macro default__surrogate_key(identifier) -%}
    hashtextextended({{ identifier }}, 0)
{%- endmacro %}
