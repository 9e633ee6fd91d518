{#
How every model is stored on PostgreSQL: one partition per book, replaced as a whole within one
transaction. It takes the place of dbt's own `incremental` materialization, because that copies the
rows through a temporary table and, with --full-refresh, drops the rows of all books. Here a run never
touches a row of another book, and readers of other books are not held up.

Columns follow the model: new ones are added, vanished or re-typed ones dropped and, where they still
exist, added anew (null in books not built since).
#}
{% materialization incremental, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set shape = api.Relation.create(identifier=this.identifier ~ '__shape') -%}
    {%- set partition = this.incorporate(path={'identifier': book_partition_name(this.identifier)}) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}

    {%- set prepared -%}
        create temporary table {{ shape.include(schema=false) }} on commit drop as
        select * from (
            {{ sql }}
        ) as model
        with no data
    {%- endset -%}
    {%- do run_query(prepared) -%}

    {%- set parent = run_query(
        "select to_regclass('" ~ target_relation.include(database=false) ~ "') is not null,"
        " to_regclass('" ~ partition.include(database=false) ~ "') is not null"
    ) -%}
    {%- if not parent.rows[0][0] -%}
        {%- do run_query(
            "create table if not exists " ~ target_relation ~ " (like " ~ shape.include(schema=false)
            ~ ") partition by list (book)"
        ) -%}
        {%- do create_indexes(target_relation) -%}
    {%- else -%}
        {%- do follow_columns(target_relation, shape) -%}
    {%- endif -%}
    {%- if not parent.rows[0][1] -%}
        {%- do run_query(
            "create table if not exists " ~ partition ~ " partition of " ~ target_relation
            ~ " for values in (" ~ book() ~ ")"
        ) -%}
    {%- endif -%}

    {%- set columns = run_query(
        "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
        " where attrelid = 'pg_temp." ~ shape.identifier ~ "'::regclass and attnum > 0"
    ).rows[0][0] -%}
    {%- do run_query("truncate table " ~ partition) -%}

    {%- call statement('main') -%}
        insert into {{ partition }} ({{ columns }})
        select {{ columns }}
        from (
            {{ sql }}
        ) as model
    {%- endcall -%}
    {%- do run_query("analyze " ~ partition) -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{# Name of the partition of the run's book, at most 63 characters. #}
{% macro book_partition_name(table) -%}
    {%- set name = table ~ '__' ~ var('book') -%}
    {{ return(name if name | length <= 63 else name[:30] ~ '__' ~ local_md5(name)) }}
{%- endmacro %}

{# Brings the columns of `relation` to those of `shape`. #}
{% macro follow_columns(relation, shape) %}
    {%- set changes = run_query("
        with wanted as (
            select attname, format_type(atttypid, atttypmod) as type
            from pg_attribute
            where attrelid = 'pg_temp." ~ shape.identifier ~ "'::regclass and attnum > 0
        ), present as (
            select attname, format_type(atttypid, atttypmod) as type
            from pg_attribute
            where attrelid = '" ~ relation.include(database=false) ~ "'::regclass and attnum > 0 and not attisdropped
        )
        select 'drop column ' || quote_ident(attname), 1 as step from present
        where not exists (select from wanted where wanted.attname = present.attname and wanted.type = present.type)
        union all
        select 'add column ' || quote_ident(attname) || ' ' || type, 2 from wanted
        where not exists (select from present where wanted.attname = present.attname and wanted.type = present.type)
        order by step
    ") -%}
    {%- for change in changes.rows -%}
        {%- do run_query("alter table " ~ relation ~ " " ~ change[0]) -%}
    {%- endfor -%}
{% endmacro %}
