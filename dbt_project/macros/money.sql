{# Money inside window sums is whole cents (bigint); at the boundary numeric(18,2). #}

{% macro to_cents(amount) -%}
    cast({{ amount }} * 100 as bigint)
{%- endmacro %}

{% macro from_cents(cents) -%}
    cast({{ cents }} / cast(100 as numeric) as numeric(18, 2))
{%- endmacro %}

{#
A sum of cents; `over` makes it a window sum. Whole numbers below 2^53 (90 trillion units of a currency) are
exact in double precision, whatever their order, and PostgreSQL adds them several times as fast as bigint,
whose sums it makes numeric.
#}
{% macro sum_cents(cents, over=none) -%}
    cast(sum(cast({{ cents }} as double precision)){% if over %} over ({{ over }}){% endif %} as bigint)
{%- endmacro %}
