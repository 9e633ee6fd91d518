{# The `columns` never fall along `order_by` within each group. #}
{% test never_falls(model, columns, within, order_by) %}
with steps as (
    select
        {{ within | join(', ') }},
        {{ order_by }},
        {% for column in columns %}
        {{ column }},
        lag({{ column }}) over (partition by {{ within | join(', ') }} order by {{ order_by }}) as {{ column }}_before{{ ',' if not loop.last }}
        {% endfor %}
    from {{ model }}
    where book = {{ book() }}
)

select *
from steps
where
    {% for column in columns %}
    {{ 'or ' if not loop.first }}{{ column }} < {{ column }}_before - 1e-12
    {% endfor %}
{% endtest %}
