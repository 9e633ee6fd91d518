{#
Conditions that hold on every row of the run's book, by name; a row fails with the first that is false or
null. `shows` are columns that tell the rows apart.
#}
{% test holds(model, rules, shows) %}
select
    case
        {% for rule, condition in rules.items() %}
        when not coalesce({{ condition }}, false) then '{{ rule }}'
        {% endfor %}
    end as broken_rule,
    {{ shows | join(', ') }}
from {{ model }}
where
    book = {{ book() }}
    and not (
        {% for condition in rules.values() %}
        {{ 'and ' if not loop.first }}coalesce({{ condition }}, false)
        {% endfor %}
    )
{% endtest %}
