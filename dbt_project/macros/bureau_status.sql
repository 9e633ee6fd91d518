{# Payment states of bureau tradelines as numbers: 0 to 7 months past due, 8 written off. #}

{% macro bureau_status(code) -%}
    case when {{ code }} = 'written_off' then 8 else cast({{ code }} as integer) end
{%- endmacro %}

{# Worst state in a text of status characters; null where it holds none. #}
{% macro worst_in_history(history) -%}
    case
        when {{ history }} like '%W%' then 8
        {% for state in range(7, -1, -1) %}
        when {{ history }} like '%{{ state }}%' then {{ state }}
        {% endfor %}
    end
{%- endmacro %}

{# The status character of a state. #}
{% macro history_character(state) -%}
    case when {{ state }} = 8 then 'W' else cast({{ state }} as text) end
{%- endmacro %}

{# Debt of a tradeline: of one written off at least what is overdue, as its balance may be taken off the books. #}
{% macro debt_of_line() -%}
    case when state_now = 8 then greatest(balance, overdue_amount) else balance end
{%- endmacro %}
