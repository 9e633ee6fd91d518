{# A layer's schema, with the run's prefix in front: `marts`, or `asof_x_marts` for a time-travel build. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ var('schema_prefix') }}{{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
