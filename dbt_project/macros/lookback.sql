{#
Window frames over a customer's months, by month number, so that a missing month counts as missing.
The query names the window partition; months are whole numbers that grow by one a month.
#}

{# The last `months` months, this one included. #}
{% macro last_months(months, partition='customer_id, known_month_no') -%}
    (
        partition by {{ partition }}
        order by month_no
        range between {{ months - 1 }} preceding and current row
    )
{%- endmacro %}

{# The month `lag` months ago, alone. #}
{% macro month_ago(lag, partition='customer_id, known_month_no') -%}
    (
        partition by {{ partition }}
        order by month_no
        range between {{ lag }} preceding and {{ lag }} preceding
    )
{%- endmacro %}
