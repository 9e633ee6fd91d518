{# Ratios of one financial statement (domain.md#ratios). #}

{# numerator / denominator; null where either is null or the denominator is not positive. #}
{% macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as double precision) / case when {{ denominator }} > 0 then cast({{ denominator }} as double precision) end
{%- endmacro %}

{# Flows of a statement that ratios rest on. #}
{% macro statement_flows() -%}
    {{ return([
        'revenue', 'cost_of_sales', 'gross_margin_amount', 'operating_profit', 'ebit', 'interest_expense', 'net_profit',
        'depreciation', 'cfo',
    ]) }}
{%- endmacro %}

{# Those that are shown with their twelve months. #}
{% macro told_flows() -%}
    {{ return(['revenue', 'net_profit', 'ebit', 'cfo']) }}
{%- endmacro %}

{#
A flow of the twelve months to the end of the period (domain.md#trailing-flow): year to date, plus the last full year,
less the same months of that year. Where one of these is not there the year to date is brought to twelve months, which
`is_annualised` says.
#}
{% macro trailing_flow(flow) -%}
    case
        when statements.months >= 12 then statements.{{ flow }}
        when full_year.version_key is not null and same_months.version_key is not null
            then statements.{{ flow }} + full_year.{{ flow }} - same_months.{{ flow }}
        else cast(statements.{{ flow }} * (12.0 / statements.months) as numeric(18, 2))
    end
{%- endmacro %}

{# Altman's scores (domain.md#altman) are rounded to six decimals, so that floating-point noise does not move a zone's
edge. #}

{# Altman 1968, listed firms. #}
{% macro altman_z() -%}
    cast(round(cast(
        1.2 * {{ ratio('(current_assets - current_liabilities)', 'total_assets') }}
        + 1.4 * {{ ratio('retained_earnings', 'total_assets') }}
        + 3.3 * {{ ratio('ebit_12m', 'total_assets') }}
        + 0.6 * {{ ratio('market_value', 'total_liabilities') }}
        + 1.0 * {{ ratio('revenue_12m', 'total_assets') }}
    as numeric), 6) as double precision)
{%- endmacro %}

{# Altman 1983, private firms. #}
{% macro altman_z1() -%}
    cast(round(cast(
        0.717 * {{ ratio('(current_assets - current_liabilities)', 'total_assets') }}
        + 0.847 * {{ ratio('retained_earnings', 'total_assets') }}
        + 3.107 * {{ ratio('ebit_12m', 'total_assets') }}
        + 0.420 * {{ ratio('equity', 'total_liabilities') }}
        + 0.998 * {{ ratio('revenue_12m', 'total_assets') }}
    as numeric), 6) as double precision)
{%- endmacro %}

{# Altman 1995, firms outside manufacturing and in emerging markets. #}
{% macro altman_z2() -%}
    cast(round(cast(
        6.56 * {{ ratio('(current_assets - current_liabilities)', 'total_assets') }}
        + 3.26 * {{ ratio('retained_earnings', 'total_assets') }}
        + 6.72 * {{ ratio('ebit_12m', 'total_assets') }}
        + 1.05 * {{ ratio('equity', 'total_liabilities') }}
    as numeric), 6) as double precision)
{%- endmacro %}

{% macro z_zone(score, distress, safe) -%}
    case
        when {{ score }} < {{ distress }} then 'distress'
        when {{ score }} > {{ safe }} then 'safe'
        when {{ score }} is not null then 'grey'
    end
{%- endmacro %}

{# Zone of Z'' (domain.md#altman): the one place that says its borders. #}
{% macro z2_zone(score) -%}
    {{ z_zone(score, 1.10, 2.60) }}
{%- endmacro %}

{# Change against the value a year before; null where that is null or not positive. #}
{% macro growth(now, before) -%}
    {{ ratio(now, before) }} - 1
{%- endmacro %}
