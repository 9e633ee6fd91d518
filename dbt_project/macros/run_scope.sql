{# What a run is about: one book, as of a day, as known at a time. SQL literals from the run's vars. #}

{% macro book() -%}
    '{{ var("book") }}'
{%- endmacro %}

{% macro as_of() -%}
    cast('{{ var("as_of") }}' as date)
{%- endmacro %}

{% macro known_at() -%}
    cast('{{ var("known_at") }}' as timestamp with time zone)
{%- endmacro %}

{% macro labels_known_at() -%}
    cast('{{ var("labels_known_at") }}' as timestamp with time zone)
{%- endmacro %}
