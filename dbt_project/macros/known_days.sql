{# Knowledge in whole days: what a row version shows at the end of an observation date (domain.md#point-in-time). #}

{# Calendar date of a time in the book's time zone. #}
{% macro local_date(instant) -%}
    {{ return(adapter.dispatch('local_date', 'creditops')(instant)) }}
{%- endmacro %}

{% macro default__local_date(instant) -%}
    cast({{ instant }} at time zone '{{ var("time_zone") }}' as date)
{%- endmacro %}

{# First day at whose end the version is known. #}
{% macro known_on(version) -%}
    {{ local_date(version ~ '.known_from') }}
{%- endmacro %}

{# First day at whose end it no longer is; the end of time for the latest. #}
{% macro known_before(version) -%}
    coalesce({{ local_date(version ~ '.known_until') }}, cast('9999-12-31' as date))
{%- endmacro %}

{# Month end of a month number (`month_index`). #}
{% macro month_of_index(index) -%}
    {{ return(adapter.dispatch('month_of_index', 'creditops')(index)) }}
{%- endmacro %}

{% macro default__month_of_index(index) -%}
    cast(make_date(cast(({{ index }} - 1) / 12 as integer), cast(({{ index }} - 1) % 12 + 1 as integer), 1)
        + interval '1 month - 1 day' as date)
{%- endmacro %}
