{# Trade credit: the period of DSO and CEI, and the ageing of DOMAIN 2. #}

{# Last day before the period that ends on the run's day: whole months back, month end to month end. #}
{% macro trade_period_start() -%}
    {%- set back = months_after(as_of(), -(var('trade_period_months') | int)) -%}
    case when {{ as_of() }} = {{ month_end(as_of()) }} then {{ month_end(back) }} else {{ back }} end
{%- endmacro %}

{# Ageing columns by the least number of days past due; an invoice due today is not past due. #}
{% macro ageing_columns() -%}
    {{ return(['not_due', 'd1_30', 'd31_60', 'd61_90', 'd91_120', 'd120_plus']) }}
{%- endmacro %}

{% macro ageing_of(days) -%}
    case
        when {{ days }} > 120 then 'd120_plus'
        when {{ days }} > 90 then 'd91_120'
        when {{ days }} > 60 then 'd61_90'
        when {{ days }} > 30 then 'd31_60'
        when {{ days }} > 0 then 'd1_30'
        else 'not_due'
    end
{%- endmacro %}
