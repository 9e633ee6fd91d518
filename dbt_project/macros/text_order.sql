{# Text in the order of its bytes, so that the first of several is the same whatever the database's locale is. #}
{% macro text_order(column) -%}
    {{ return(adapter.dispatch('text_order', 'creditops')(column)) }}
{%- endmacro %}

{% macro default__text_order(column) -%}
    {{ column }} collate "C"
{%- endmacro %}
