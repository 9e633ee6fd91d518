{#
Loss given default of a facility, LGD x EAD (domain.md#expected-loss): exposure at default is the balance, 0 for a
facility in credit, and where it may be drawn the credit conversion factor's part of the undrawn limit. A product that
the book has not described loses all and draws nothing more.
#}
{% macro loss_given_default(balance, credit_limit, status, lgd, ccf) -%}
    coalesce(cast({{ lgd }} as numeric), 1) * (
        greatest({{ balance }}, 0)
        + case when {{ may_draw(status) }} then coalesce(cast({{ ccf }} as numeric), 0) else 0 end
        * greatest(coalesce({{ credit_limit }}, 0) - greatest({{ balance }}, 0), 0)
    )
{%- endmacro %}
