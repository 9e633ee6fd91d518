{#
What is owed on a loan (domain.md#balance): the principal disbursed less the principal settled. What is paid on an
item goes to fee and interest first, so an open item has settled principal where what is paid on it exceeds these.

What was disbursed: the principal of the schedule where that is complete, else what was lent. A schedule that does not
tell its principal is owed by its amounts, at least what was lent.

`flows` holds, in cents and up to the day, of the items issued: issued_principal_to_date, issued_with_principal (how many
of them tell their principal) and issued_billed_to_date (their amounts, red-letter ones left out); `lent` is the
facility's principal, or null.
#}
{% macro disbursed_on_loan(flows, lent) -%}
    case
        when {{ flows }}.issued_with_principal = 0
            then greatest(coalesce({{ lent }}, 0), {{ flows }}.issued_billed_to_date)
        when {{ lent }} is null or {{ flows }}.issued_principal_to_date >= {{ lent }} - {{ var('schedule_tolerance_cents') }}
            then {{ flows }}.issued_principal_to_date
        else {{ lent }}
    end
{%- endmacro %}

{#
Principal that payments oldest first have settled, `pool` being all that was paid: that of the items before the first
open one, and of this what is paid beyond the interest up to it. `all` is the principal of the whole schedule.
#}
{% macro settled_principal(pool, principal_before, interest_through, all) -%}
    case
        when {{ principal_before }} is null then {{ all }}
        else greatest({{ principal_before }}, {{ pool }} - {{ interest_through }})
    end
{%- endmacro %}

{# Whether a schedule repays what was lent, to within a unit of currency. #}
{% macro is_schedule_complete(schedule, lent) -%}
    case
        when {{ schedule }}.items_with_principal > 0 then {{ schedule }}.principal_cents
        else {{ schedule }}.amount_cents
    end >= coalesce({{ lent }}, 0) - {{ var('schedule_tolerance_cents') }}
{%- endmacro %}

{# The day from which an item is owed: when it is issued; a red-letter item takes off from its own due date on. #}
{% macro owed_from(issued_on, due_date, amount_cents) -%}
    case when {{ amount_cents }} < 0 then {{ due_date }} else coalesce({{ issued_on }}, {{ due_date }}) end
{%- endmacro %}
