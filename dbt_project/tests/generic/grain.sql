{# The model has one row per `columns` in the run's book, and none of them is null; fails per broken key. #}
{% test grain(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as rows_found
from {{ model }}
where book = {{ book() }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {% for column in columns %}
    or {{ column }} is null
    {% endfor %}
{% endtest %}
