{# What dbt knows of the other models of this layer: their contracts, in both languages. -#}
{%- set columns = [] -%}
{%- for model in (graph.nodes.values() if execute else []) -%}
    {%- if model.resource_type == 'model' and model.fqn[1] == 'serving' and model.config.meta.key -%}
        {%- for column in model.columns.values() if column.name != 'book' -%}
            {%- do columns.append((model.name, column)) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endfor -%}

with described (table_name, column_name, data_type, unit, description_zh, description_en, source) as (
    values
    {% for table_name, column in columns %}
    (
        {{ text_literal(table_name) }},
        {{ text_literal(column.name) }},
        {{ text_literal(column.data_type) }},
        {{ text_literal(column.config.meta.unit) }},
        {{ text_literal(column.config.meta.zh) }},
        {{ text_literal(column.description) }},
        {{ text_literal(column.config.meta.source) }}
    ){{ ',' if not loop.last }}
    {% else %}
    ('', '', '', '', '', '', '')
    {% endfor %}
)

select
    {{ book() }} as book,
    table_name,
    column_name,
    data_type,
    unit,
    description_zh,
    description_en,
    source,
    'none' as pii_class
from described
where table_name <> ''
