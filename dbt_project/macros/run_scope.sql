{# What a run is about: one book, as of a day, as known at a time. SQL literals from the run's vars. #}

{% macro book() -%}
    '{{ var("book") }}'
{%- endmacro %}

{% macro as_of() -%}
    cast('{{ var("as_of") }}' as date)
{%- endmacro %}

{% macro known_at() -%}
    cast('{{ var("known_at") }}' as timestamp with time zone)
{%- endmacro %}

{% macro labels_known_at() -%}
    cast('{{ var("labels_known_at") }}' as timestamp with time zone)
{%- endmacro %}

{#
What of the book a run builds. With scope `book` everything; with scope `changed` the facilities that
`creditops.warehouse.build_scope` found changed since the last build, and what depends on them. The lists are
read once and looked up in indexes, so a build takes as long as the changes, not as long as the history.

Models with `shared=true` can be built in shares: each holds some customers with all of their facilities, and is
computed by a process of its own (book_partition.sql). What limits rows to the scope says by which column they are
shared out.
#}

{#
Condition: the row belongs to a changed facility; `column` holds facility_id or facility_key. With `daily` also to one
of which a day that came changes what is due or past due.
#}
{% macro in_scope(column, daily=false) -%}
    {%- if var('scope') == 'changed' -%}
        {{ column }} = any(array(
            select {{ column.split('.')[-1] }} from {{ scope_table('changed_facility') }}
            where book = {{ book() }} and layer = '{{ var("layer") }}{{ "_due" if daily }}'
        ))
    {%- else -%}
        {{ share_place(column) }}
    {%- endif -%}
{%- endmacro %}

{# Condition: the row's facility_key is one of CTE `keys`; in a run of scope `changed` it is looked up in an index. #}
{% macro among(column, keys) -%}
    {%- if var('scope') == 'changed' -%}
        {{ column }} = any(array(select distinct {{ keys }}.facility_key from {{ keys }}))
    {%- else -%}
        {{ column }} in (select {{ keys }}.facility_key from {{ keys }})
    {%- endif -%}
{%- endmacro %}

{# Condition: the row belongs to a customer of a changed facility. #}
{% macro in_customer_scope(column) -%}
    {%- if var('scope') == 'changed' -%}
        {{ column }} = any(array(
            select customer_id from {{ scope_table('changed_facility') }}
            where book = {{ book() }} and layer = '{{ var("layer") }}'
        ))
    {%- else -%}
        {{ share_place(column) }}
    {%- endif -%}
{%- endmacro %}

{# Where `share_of` sets its condition; true for all rows of the book. #}
{% macro share_place(column) -%}
    true{{ ' /* shared by ' ~ column ~ ' */' if config.get('shared') }}
{%- endmacro %}

{# The query `sql` with only the rows of share `number` of `shares`. #}
{% macro share_of(sql, number, shares) -%}
    {%- set place = 'true /\\* shared by ((?:[a-z_]+\\.)?' -%}
    {%- set facilities = var('schema_prefix') ~ 'intermediate.int_facility where book = ' ~ book() -%}
    {%- set by_customer = modules.re.sub(place ~ 'customer_id) \\*/', in_share('\\1', number, shares), sql) -%}
    {{ return(modules.re.sub(
        place ~ '(facility_id|facility_key)) \\*/',
        '\\1 in (select \\2 from ' ~ facilities ~ ' and ' ~ in_share('customer_id', number, shares) ~ ')',
        by_customer
    )) }}
{%- endmacro %}

{# Condition: the customer's key lies in one of equal ranges of all keys. #}
{% macro in_share(customer_id, number, shares) -%}
    {%- set key, step = surrogate_key(customer_id), 2 ** 64 // shares -%}
    {%- set conditions = [] -%}
    {%- if number > 0 -%}
        {%- do conditions.append(key ~ ' >= ' ~ (number * step - 2 ** 63)) -%}
    {%- endif -%}
    {%- if number < shares - 1 -%}
        {%- do conditions.append(key ~ ' < ' ~ ((number + 1) * step - 2 ** 63)) -%}
    {%- endif -%}
    {{ return(conditions | join(' and ')) }}
{%- endmacro %}

{# Condition: a row with this key arrived in `source` since the last build. #}
{% macro in_row_scope(column, source) -%}
    {%- if var('scope') == 'changed' -%}
        {{ column }} = any(array(
            select row_key from {{ scope_table('changed_row') }} where book = {{ book() }} and source = '{{ source }}'
        ))
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#
Condition: the panel changed at the month end in `column`, or at the one before, so that a move between the two
did; with `and_before` also the month ends from which such moves start.
#}
{% macro in_month_scope(column, and_before=false) -%}
    {%- if var('scope') == 'changed' -%}
        {{ column }} = any(array(
            select month_end from {{ scope_table('changed_panel') }} where book = {{ book() }}
            union
            select {{ month_end('month_end + 1') }} from {{ scope_table('changed_panel') }} where book = {{ book() }}
            {%- if and_before %}
            union
            select cast(date_trunc('month', month_end) as date) - 1
            from {{ scope_table('changed_panel') }} where book = {{ book() }}
            {%- endif %}
        ))
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{% macro scope_table(name) -%}
    {{ var('schema_prefix') }}staging.{{ name }}
{%- endmacro %}

{# Condition on stored rows: what a run of scope `changed` replaces. #}
{% macro stale_rows() -%}
    {%- set follows, key = config.get('follows'), config.get('key') -%}
    {%- if follows == 'row' -%}
        {#- Found by facility; a list would be gone through for every row of theirs, a subquery is hashed. #}
        {{ in_scope('facility_key') }}
        and {{ key[1] }} in (
            select row_key from {{ scope_table('changed_row') }} where book = {{ book() }} and source = '{{ key[0] }}'
        )
    {%- elif follows == 'facility' -%}
        {{ in_scope(key or 'facility_key', config.get('daily')) }}
    {%- elif follows == 'customer' -%}
        {{ in_customer_scope('customer_id') }}
    {%- else -%}
        {{ in_month_scope('month') }}
    {%- endif -%}
{%- endmacro %}

{#
The statements that bring the rows of `partition` that a run of scope `changed` may replace (`stale`) to those of
`fresh`. `grain` are the columns that tell rows apart: a row that is as it was stays; without them all are replaced.
#}
{% macro replace_rows(partition, fresh, columns, stale, grain) -%}
    {%- if not grain -%}
        {{ return([
            'delete from ' ~ partition ~ ' where ' ~ stale,
            'insert into ' ~ partition ~ ' (' ~ columns ~ ') select ' ~ columns ~ ' from ' ~ fresh,
        ]) }}
    {%- endif -%}
    {%- set same_key, stored_row, fresh_row = [], [], [] -%}
    {%- for column in grain -%}
        {%- do same_key.append('stored.' ~ column ~ ' = fresh.' ~ column) -%}
    {%- endfor -%}
    {%- for column in columns.split(', ') -%}
        {%- do stored_row.append('stored.' ~ column) -%}
        {%- do fresh_row.append('fresh.' ~ column) -%}
    {%- endfor -%}
    {{ return([
        'delete from ' ~ partition ~ ' as stored where ' ~ stale ~ ' and not exists (select 1 from ' ~ fresh
        ~ ' as fresh where ' ~ same_key | join(' and ')
        ~ ' and (' ~ stored_row | join(', ') ~ ') is not distinct from (' ~ fresh_row | join(', ') ~ '))',
        'insert into ' ~ partition ~ ' (' ~ columns ~ ') select ' ~ columns ~ ' from ' ~ fresh
        ~ ' as fresh where not exists (select 1 from ' ~ partition ~ ' as stored where ' ~ stale ~ ' and '
        ~ same_key | join(' and ') ~ ')',
    ]) }}
{%- endmacro %}

{# The statement, which deletes or inserts rows of the panel, noting which: (facility_id, month_end). #}
{% macro note_changed_panel(statement) -%}
    with touched as ({{ statement }} returning facility_id, month_end)
    insert into {{ scope_table('changed_panel') }} (book, facility_id, month_end)
    select {{ book() }}, facility_id, month_end from touched
{%- endmacro %}
