{# Delinquency scales of DOMAIN 2, from days past due. #}

{% macro bucket_of(dpd) -%}
    case
        when {{ dpd }} > 180 then 'M7'
        when {{ dpd }} > 150 then 'M6'
        when {{ dpd }} > 120 then 'M5'
        when {{ dpd }} > 90 then 'M4'
        when {{ dpd }} > 60 then 'M3'
        when {{ dpd }} > 30 then 'M2'
        when {{ dpd }} > 0 then 'M1'
        when {{ dpd }} = 0 then 'M0'
    end
{%- endmacro %}

{# Five-tier class as a rank: 1 pass, 2 special mention, 3 substandard, 4 doubtful, 5 loss. #}
{% macro class_rank_of_dpd(dpd) -%}
    case
        when {{ dpd }} > 360 then 5
        when {{ dpd }} > 270 then 4
        when {{ dpd }} > 90 then 3
        when {{ dpd }} > 0 then 2
        else 1
    end
{%- endmacro %}

{% macro class_rank(class5) -%}
    case {{ class5 }}
        when 'loss' then 5
        when 'doubtful' then 4
        when 'substandard' then 3
        when 'special_mention' then 2
        when 'pass' then 1
    end
{%- endmacro %}

{% macro class_of_rank(rank) -%}
    case {{ rank }}
        when 5 then 'loss'
        when 4 then 'doubtful'
        when 3 then 'substandard'
        when 2 then 'special_mention'
        else 'pass'
    end
{%- endmacro %}

{# Months past due that days past due amount to: 1 for 1-30, 2 for 31-60, ... #}
{% macro months_of_dpd(dpd) -%}
    cast(ceil({{ dpd }} / 30.0) as integer)
{%- endmacro %}

{# Reported months past due map to the top of their bucket: 1 -> 30, 2 -> 60, ... #}
{% macro dpd_of_months(months) -%}
    greatest({{ months }}, 0) * 30
{%- endmacro %}
