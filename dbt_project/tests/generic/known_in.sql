{# Every value of `column` is one of `to`'s `field`, in the run's book. #}
{% test known_in(model, column_name, to, field) %}
select
    child.{{ column_name }},
    count(*) as rows_found
from {{ model }} as child
left join {{ to }} as parent
    on
        child.{{ column_name }} = parent.{{ field }}
        and parent.book = {{ book() }}
where
    child.book = {{ book() }}
    and child.{{ column_name }} is not null
    and parent.{{ field }} is null
group by child.{{ column_name }}
{% endtest %}
