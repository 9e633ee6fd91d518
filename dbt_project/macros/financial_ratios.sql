{# Ratios of one financial statement (DOMAIN 4). #}

{# numerator / denominator; null where either is null or the denominator is not positive. #}
{% macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as double precision) / case when {{ denominator }} > 0 then cast({{ denominator }} as double precision) end
{%- endmacro %}

{# A flow of the statement's months, brought to twelve. #}
{% macro annual(flow) -%}
    ({{ flow }} * (12.0 / months))
{%- endmacro %}

{# Scores are rounded to six decimals, so that floating-point noise does not move a zone's edge. #}

{# Altman 1968, listed firms. #}
{% macro altman_z() -%}
    cast(round(cast(
        1.2 * {{ ratio('(current_assets - current_liabilities)', 'total_assets') }}
        + 1.4 * {{ ratio('retained_earnings', 'total_assets') }}
        + 3.3 * {{ ratio(annual('ebit'), 'total_assets') }}
        + 0.6 * {{ ratio('market_value', 'total_liabilities') }}
        + 1.0 * {{ ratio(annual('revenue'), 'total_assets') }}
    as numeric), 6) as double precision)
{%- endmacro %}

{# Altman 1983, private firms. #}
{% macro altman_z1() -%}
    cast(round(cast(
        0.717 * {{ ratio('(current_assets - current_liabilities)', 'total_assets') }}
        + 0.847 * {{ ratio('retained_earnings', 'total_assets') }}
        + 3.107 * {{ ratio(annual('ebit'), 'total_assets') }}
        + 0.420 * {{ ratio('equity', 'total_liabilities') }}
        + 0.998 * {{ ratio(annual('revenue'), 'total_assets') }}
    as numeric), 6) as double precision)
{%- endmacro %}

{# Altman 1995, firms outside manufacturing and in emerging markets. #}
{% macro altman_z2() -%}
    cast(round(cast(
        6.56 * {{ ratio('(current_assets - current_liabilities)', 'total_assets') }}
        + 3.26 * {{ ratio('retained_earnings', 'total_assets') }}
        + 6.72 * {{ ratio(annual('ebit'), 'total_assets') }}
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

{# Change against the value a year before; null where that is null or not positive. #}
{% macro growth(now, before) -%}
    {{ ratio(now, before) }} - 1
{%- endmacro %}
