{# What models of layer `serving` read besides marts and features: state that rules and people keep, as of the run's day. #}

{# Latest month end of the panel on or before the day: what "now" is for figures by the month. #}
{% macro panel_day() -%}
    (select max(month_end) from {{ ref('fct_facility_month') }} where book = {{ book() }} and month_end <= {{ as_of() }})
{%- endmacro %}

{# Relation of the responses of the book as they stood at the close of the day. #}
{% macro action_states() -%}
    {%- set read = [source('actions', 'proposed_actions'), source('actions', 'action_events')] -%}
    actions.action_states({{ book() }}, {{ as_of() }})
{%- endmacro %}

{# Relation of each customer's open warnings at the close of the day: red, orange, yellow. #}
{% macro open_warnings() -%}
    {%- set read = source('actions', 'warning_snapshot') -%}
    actions.open_warnings({{ book() }}, {{ as_of() }})
{%- endmacro %}

{# A text, or null, as a literal of SQL. #}
{% macro text_literal(text) -%}
    {%- if text is none or text is undefined -%}
        cast(null as text)
    {%- else -%}
        '{{ text | replace("'", "''") }}'
    {%- endif -%}
{%- endmacro %}

{# Query of the open facilities of the book at the latest month end of the panel. #}
{% macro open_panel() -%}
    select *
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and month_end = {{ panel_day() }}
        and is_open
{%- endmacro %}

{# Why a customer is in default or classed as bad, in words of a language: zh or en. #}
{% macro reason_text(column, language) -%}
    actions.reason_text({{ column }}, '{{ language }}')
{%- endmacro %}

{# Relation of what approved suspensions and reductions do to each customer's limits at the close of the day. #}
{% macro limit_actions() -%}
    {%- set read = [source('actions', 'proposed_actions'), source('actions', 'action_events')] -%}
    actions.approved_limit_actions({{ book() }}, {{ as_of() }})
{%- endmacro %}

{# Grade while default lasts, with or without a score (domain.md#default). #}
{% macro default_grade() -%}
    {{ text_literal(var('default_grade')) }}
{%- endmacro %}

{# An amount as texts show it: whole, with separators of thousands. #}
{% macro shown(amount) -%}
    to_char({{ amount }}, 'FM999,999,999,999,990')
{%- endmacro %}
