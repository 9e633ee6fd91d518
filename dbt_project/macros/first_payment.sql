{# The first payment of a facility and whether it failed (domain.md#first-payment-default, FPD). #}

{# Days after which an unpaid first payment is a first payment default. #}
{% macro first_payment_days() -%}
    30
{%- endmacro %}

{# Whether a due item is a payment of the facility; a fee, as one paid at disbursal, is none. #}
{% macro is_payment(kind) -%}
    {{ kind }} in ('instalment', 'statement', 'invoice')
{%- endmacro %}

{# Whether the first payment stayed unpaid for more than 30 days; null until these have passed, paid or not. #}
{% macro first_payment_default(due_date, settled_on) -%}
    case
        when {{ days_after(due_date, first_payment_days()) }} < {{ as_of() }}
            then coalesce({{ days_between(due_date, settled_on) }} > {{ first_payment_days() }}, true)
    end
{%- endmacro %}
