{#
What is owed on a loan: principal not yet due, plus what is due, less what was paid.

`flows` holds, in cents and up to the day: issued_to_date and issued_principal_to_date of the items
issued, issued_with_principal (how many of them tell their principal), billed_to_date, due_to_date and
principal_due_to_date of those due, paid_to_date. `lent` is the facility's principal, or null.

Principal starts from the schedule where that is complete, else from what was lent; items that do not
tell their principal repay it in step with their amounts.
#}
{% macro owed_on_loan(flows, lent) -%}
    case
        when {{ flows }}.issued_with_principal > 0
            then case
                when {{ lent }} is null or {{ flows }}.issued_principal_to_date >= {{ lent }} - {{ var('schedule_tolerance_cents') }}
                    then {{ flows }}.issued_principal_to_date
                else {{ lent }}
            end - {{ flows }}.principal_due_to_date
        else coalesce({{ lent }}, {{ flows }}.issued_to_date)
            - cast(round(
                {{ flows }}.billed_to_date * least(
                    coalesce({{ lent }} / cast(nullif({{ flows }}.issued_to_date, 0) as double precision), 1),
                    1
                )
            ) as bigint)
    end
    + {{ flows }}.due_to_date
    - {{ flows }}.paid_to_date
{%- endmacro %}

{# Whether a schedule repays what was lent, to within a unit of currency. #}
{% macro is_schedule_complete(schedule, lent) -%}
    case
        when {{ schedule }}.items_with_principal > 0 then {{ schedule }}.principal_cents
        else {{ schedule }}.amount_cents
    end >= coalesce({{ lent }}, 0) - {{ var('schedule_tolerance_cents') }}
{%- endmacro %}
