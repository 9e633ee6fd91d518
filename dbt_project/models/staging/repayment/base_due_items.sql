{{ config(
    materialized='book_partition',
    contract={'enforced': true},
    follows='row',
    key=['due_items', 'due_item_id'],
    indexed=['facility_key, due_date'],
) }}

with {{ versions_of_many_cte(source('raw', 'due_items'), 'due_item_id', in_row_scope('due_item_id', 'due_items')) }}

select
    {{ book() }} as book,
    due_item_id,
    facility_id,
    {{ surrogate_key('facility_id') }} as facility_key,
    kind,
    issued_on,
    due_date,
    {{ to_cents('amount_due') }} as amount_cents,
    {{ to_cents('principal') }} as principal_cents,
    currency,
    known_from,
    known_until,
    cast(version_no as integer) as version_no,
    is_latest
from versions
