{#
Every version of the rows of a raw source of the run's book that was known by `known_at` (DOMAIN 1:
a correction is a new row with the same key).

known_from: when the platform learnt the version; known_until: when it learnt the next one, null
for the latest. Grain: (key, known_from, _batch_id).
#}
{% macro known_versions(source, key, known_by=none) -%}
    select
        *,
        loaded_at as known_from,
        lead(loaded_at) over (partition by {{ key | join(', ') }} order by loaded_at, _batch_id) as known_until
    from {{ source }}
    where
        book = {{ book() }}
        and loaded_at <= {{ known_by or known_at() }}
{%- endmacro %}

{# An integer that stands for an identifier in joins and sorts. #}
{% macro surrogate_key(identifier) -%}
    {{ return(adapter.dispatch('surrogate_key', 'creditops')(identifier)) }}
{%- endmacro %}

{% macro default__surrogate_key(identifier) -%}
    hashtextextended({{ identifier }}, 0)
{%- endmacro %}
