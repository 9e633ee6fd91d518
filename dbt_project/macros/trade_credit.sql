{# Trade credit: the period of DSO and CEI, and ageing (domain.md#ageing). #}

{# Last day before the period that ends on the run's day: whole months back, month end to month end. #}
{% macro trade_period_start() -%}
    {{ same_day_before(as_of(), var('trade_period_months')) }}
{%- endmacro %}

{#
Whether an invoice counts in DBT on `day`: settled in the period that began after `period_start`, or open past due, and
not in dispute on the day (domain.md#days-beyond-terms).
#}
{% macro counts_in_dbt(invoice, is_disputed, written_off_on, period_start, day) -%}
    not {{ is_disputed }}
            and case
                when {{ invoice }}.settled_on <= {{ day }} then {{ invoice }}.settled_on > {{ period_start }}
                else {{ invoice }}.due_date < {{ day }} and coalesce({{ written_off_on }} > {{ day }}, true)
            end
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
