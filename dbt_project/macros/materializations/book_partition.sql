{#
How every model is stored on PostgreSQL: one partition per book. dbt's own `incremental` drops the rows of all
books with --full-refresh; here a run never touches a row of another book, and readers of other books are not held up.

A run of scope `book` replaces the partition as a whole within one transaction. A run of scope `changed`
replaces, of the models that say by which column they follow changes, the rows of what changed:

    follows='facility'   by facility_key or its `key`: the rows of the changed facilities; with daily=true also of
                         those of which a day that came changes what is due or past due
    follows='customer'   by customer_id: the rows of the customers of the changed facilities
    follows='row'        by facility_key and the key of the raw source: the versions of changed rows
    follows='month'      by month: the months in which the panel changed

Their queries select just these rows (macros/run_scope.sql). Each of `indexed` is an index: its columns or, where it
holds but some rows, `columns` and the condition for `rows`. Where `grain` names the columns that tell rows apart,
those that did not change stay as they are.

PostgreSQL computes a query with window functions, and the select of an insert, in one process. Where a run of scope
`book` is told to use several `shares`, models with `shared=true` are written as one function for each share, which
may run in a parallel worker, and all of them are gathered in a temporary table.

Columns follow the model: new ones are added, vanished or re-typed ones dropped and, where they still
exist, added anew (null in books not built since).
#}
{% materialization book_partition, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set fresh = api.Relation.create(identifier=this.identifier ~ '__fresh').include(schema=false) -%}
    {%- set partition = this.incorporate(path={'identifier': book_partition_name(this.identifier)}) -%}
    {%- set is_changed_only = var('scope') == 'changed' and config.get('follows') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if config.get('contract').enforced and not is_changed_only -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}

    {%- if is_changed_only -%}
        {%- call statement('main') -%}
            create temporary table {{ fresh }} on commit drop as
            select * from (
                {{ sql }}
            ) as model
        {%- endcall -%}
    {%- else -%}
        {%- do run_query(
            "create temporary table " ~ fresh ~ " on commit drop as select * from (" ~ sql ~ ") as model with no data"
        ) -%}
    {%- endif -%}
    {%- do ensure_partition(target_relation, partition, fresh) -%}
    {%- set columns = column_list(fresh) -%}

    {%- if is_changed_only -%}
        {%- set stale = stale_rows() -%}
        {%- for statement in replace_rows(partition, fresh, columns, stale, config.get('grain')) -%}
            {%- do run_query(note_changed_panel(statement) if config.get('tells_changes') else statement) -%}
        {%- endfor -%}
    {%- else -%}
        {%- do run_query("truncate table " ~ partition) -%}
        {%- do drop_partition_indexes(partition) -%}
        {%- if config.get('shared') and var('shares') | int > 1 -%}
            {%- set whole = gather_shares(sql, fresh, var('shares') | int) -%}
        {%- else -%}
            {%- set whole = "(\n" ~ sql ~ "\n)" -%}
        {%- endif -%}
        {%- call statement('main') -%}
            insert into {{ partition }} ({{ columns }})
            select {{ columns }}
            from {{ whole }} as model
        {%- endcall -%}
        {%- for index in config.get('indexed', []) -%}
            {%- set columns, rows = (index.columns, ' where ' ~ index.rows) if index is mapping else (index, '') -%}
            {%- do run_query("create index on " ~ partition ~ " (" ~ columns ~ ")" ~ rows) -%}
        {%- endfor -%}
        {%- do run_query("analyze " ~ partition) -%}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#
A temporary table with the rows of all shares of a query, each computed by a process of its own while there are
parallel workers. `fresh` is an empty table with the columns of the query.
#}
{% macro gather_shares(sql, fresh, shares) %}
    {%- set gathered = fresh.incorporate(path={'identifier': fresh.identifier ~ '_shares'}) -%}
    {%- set functions = [] -%}
    {%- for number in range(shares) -%}
        {%- set function = 'pg_temp.' ~ adapter.quote(fresh.identifier ~ number) ~ '()' -%}
        {#- A function with a setting is not written into the query that calls it; its cost makes workers worth it. -#}
        {%- do run_query(
            "create function " ~ function ~ " returns setof " ~ fresh ~ " language sql stable parallel safe"
            ~ " cost 1e9 set enable_nestloop = off as $share$\n" ~ share_of(sql, number, shares) ~ "\n$share$"
        ) -%}
        {%- do functions.append(function) -%}
    {%- endfor -%}
    {%- do run_query("set local max_parallel_workers_per_gather = " ~ shares) -%}
    {%- do run_query(
        "create temporary table " ~ gathered ~ " on commit drop as select * from "
        ~ functions | join(" union all select * from ")
    ) -%}
    {%- for function in functions -%}
        {%- do run_query("drop function " ~ function) -%}
    {%- endfor -%}
    {{ return(gathered) }}
{% endmacro %}

{#
The parent table with the columns of `fresh`, and the partition of the run's book. Books are built side by side: of two
that meet a new table one makes it, and a partition is attached, which readers and writers of the others do not notice.
#}
{% macro ensure_partition(relation, partition, fresh) %}
    {%- set present = run_query(
        "select to_regclass('" ~ relation.include(database=false) ~ "') is not null,"
        " to_regclass('" ~ partition.include(database=false) ~ "') is not null"
    ) -%}
    {%- if not present.rows[0][0] -%}
        {%- do run_query(
            "select pg_advisory_xact_lock(hashtextextended('new table " ~ relation.include(database=false) ~ "', 0))"
        ) -%}
        {%- do run_query(
            "create table if not exists " ~ relation ~ " (like " ~ fresh ~ ") partition by list (book)"
        ) -%}
    {%- else -%}
        {%- do follow_columns(relation, fresh) -%}
    {%- endif -%}
    {%- if not present.rows[0][1] -%}
        {%- do run_query("create table " ~ partition ~ " (like " ~ relation ~ ")") -%}
        {%- do run_query(
            "alter table " ~ relation ~ " attach partition " ~ partition ~ " for values in (" ~ book() ~ ")"
        ) -%}
    {%- endif -%}
{% endmacro %}

{% macro column_list(fresh) %}
    {{- return(run_query(
        "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
        " where attrelid = 'pg_temp." ~ fresh.identifier ~ "'::regclass and attnum > 0"
    ).rows[0][0]) -}}
{% endmacro %}

{# Filling a table and then indexing it is faster than the other way round. #}
{% macro drop_partition_indexes(partition) %}
    {%- set indexes = run_query(
        "select indexrelid::regclass::text from pg_index where indrelid = '"
        ~ partition.include(database=false) ~ "'::regclass"
    ) -%}
    {%- for index in indexes.rows -%}
        {%- do run_query("drop index " ~ index[0]) -%}
    {%- endfor -%}
{% endmacro %}

{# Name of the partition of the run's book, at most 63 characters. #}
{% macro book_partition_name(table) -%}
    {%- set name = table ~ '__' ~ var('book') -%}
    {{ return(name if name | length <= 63 else name[:30] ~ '__' ~ local_md5(name)) }}
{%- endmacro %}

{# Brings the columns of `relation` to those of `fresh`. #}
{% macro follow_columns(relation, fresh) %}
    {%- set changes = run_query("
        with wanted as (
            select attname, format_type(atttypid, atttypmod) as type
            from pg_attribute
            where attrelid = 'pg_temp." ~ fresh.identifier ~ "'::regclass and attnum > 0
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
