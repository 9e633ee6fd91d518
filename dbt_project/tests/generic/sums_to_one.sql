{# The `columns` sum to 1 over each group, where they are not null. #}
{% test sums_to_one(model, columns, within) %}
select
    {{ within | join(', ') }},
    {% for column in columns %}
    sum({{ column }}) as {{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from {{ model }}
where book = {{ book() }}
group by {{ within | join(', ') }}
having
    {% for column in columns %}
    {{ 'or ' if not loop.first }}abs(sum({{ column }}) - 1) > 1e-9
    {% endfor %}
{% endtest %}
