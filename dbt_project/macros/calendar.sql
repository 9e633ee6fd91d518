{# Calendar arithmetic on dates; one place for what engines spell differently. #}

{% macro month_end(day) -%}
    {{ return(adapter.dispatch('month_end', 'creditops')(day)) }}
{%- endmacro %}

{% macro default__month_end(day) -%}
    cast(date_trunc('month', cast({{ day }} as timestamp)) + interval '1 month' - interval '1 day' as date)
{%- endmacro %}

{# Months since year 0: consecutive months differ by one. #}
{% macro month_index(day) -%}
    cast(date_part('year', {{ day }}) * 12 + date_part('month', {{ day }}) as integer)
{%- endmacro %}

{% macro days_after(day, days) -%}
    {{ return(adapter.dispatch('days_after', 'creditops')(day, days)) }}
{%- endmacro %}

{% macro default__days_after(day, days) -%}
    ({{ day }} + {{ days }})
{%- endmacro %}

{# Whole days from the earlier to the later date. #}
{% macro days_between(earlier, later) -%}
    {{ return(adapter.dispatch('days_between', 'creditops')(earlier, later)) }}
{%- endmacro %}

{% macro default__days_between(earlier, later) -%}
    ({{ later }} - {{ earlier }})
{%- endmacro %}

{# The same day `months` months later (negative: earlier), at most the last day of that month. #}
{% macro months_after(day, months) -%}
    {{ return(adapter.dispatch('months_after', 'creditops')(day, months)) }}
{%- endmacro %}

{% macro default__months_after(day, months) -%}
    cast({{ day }} + {{ months }} * interval '1 month' as date)
{%- endmacro %}

{#
Last day of the month `months` months before that of `day`. "The last n months" at a month end are those after
`month_end_before(it, n)`, whatever the lengths of the months are (domain.md#window).
#}
{% macro month_end_before(day, months) -%}
    {{ month_end(months_after(day, '-(' ~ months ~ ')')) }}
{%- endmacro %}

{# The same day so many months earlier, where a window of months ends on a day: of a month end a month end. #}
{% macro same_day_before(day, months) -%}
    case when {{ day }} = {{ month_end(day) }} then {{ month_end_before(day, months) }} else {{ months_after(day, '-(' ~ months ~ ')') }} end
{%- endmacro %}

{# The same day so many months later, at most the last of that month. #}
{% macro same_day_after(day, months) -%}
    {{ months_after(day, months) }}
{%- endmacro %}

{# The day itself if it is a month end, else the month end before: the newest one that is over. #}
{% macro last_month_end(day) -%}
    {{ month_end_before(days_after(day, 1), 1) }}
{%- endmacro %}

{# First instant after `day` in the book's time zone (domain.md#end-of-day): what was loaded before it was known on
the day. Where the clocks go back or forward about midnight, one of the two ways to say it is an hour late. #}
{% macro end_of_day(day) -%}
    {{ return(adapter.dispatch('end_of_day', 'creditops')(day)) }}
{%- endmacro %}

{% macro default__end_of_day(day) -%}
    least(
        cast({{ day }} + 1 as timestamp) at time zone '{{ var("time_zone") }}',
        (cast({{ day }} + 1 as timestamp) - interval '1 microsecond') at time zone '{{ var("time_zone") }}'
        + interval '1 microsecond'
    )
{%- endmacro %}

{# Relation of the month ends from the month of `first_day` to `last_day`, or to `as_of`: month_end, month_index. #}
{% macro month_ends(first_day, last_day=none) -%}
    {{ return(adapter.dispatch('month_ends', 'creditops')(first_day, last_day or as_of())) }}
{%- endmacro %}

{% macro default__month_ends(first_day, last_day) -%}
    (
        select
            cast(month_start + interval '1 month' - interval '1 day' as date) as month_end,
            {{ month_index('month_start') }} as month_index
        from generate_series(
            date_trunc('month', cast({{ first_day }} as timestamp)),
            cast({{ last_day }} + 1 as timestamp) - interval '1 month',
            interval '1 month'
        ) as months (month_start)
    )
{%- endmacro %}

{# The day from which on what has no beginning goes on. #}
{% macro beginning_of_time() -%}
    cast('0001-01-01' as date)
{%- endmacro %}

{# The day before which what has no end yet goes on. #}
{% macro end_of_time() -%}
    cast('9999-12-31' as date)
{%- endmacro %}
