{#
A layer's schema, with the run's prefix in front: `marts`, or `asof_x_marts` for a time-travel build. What is published
is made anew for each publication, of whatever day, so layer `serving` has one schema.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set layer = (custom_schema_name or target.schema) | trim -%}
    {{ '' if layer == 'serving' else var('schema_prefix') }}{{ layer }}
{%- endmacro %}
