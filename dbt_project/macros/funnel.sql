{# Stages of the flow (domain.md#funnel) with the stage that each follows; the last two are of the facility. #}
{% macro funnel_stages() -%}
    {{ return({
        'applied': none, 'reviewing': 'applied', 'approved': 'reviewing', 'declined': 'reviewing',
        'cancelled': 'reviewing', 'contracted': 'approved', 'disbursed': 'contracted',
        'first_due': 'disbursed', 'first_collected': 'first_due',
    }) }}
{%- endmacro %}

{# When an application reached a stage; dues and collections are known by the day, in the book's time zone. #}
{% macro stage_time(stage) -%}
    {%- if stage in ('first_due', 'first_collected') -%}
        cast({{ stage }}_on as timestamp) at time zone '{{ var("time_zone") }}'
    {%- else -%}
        {{ stage }}_at
    {%- endif -%}
{%- endmacro %}
