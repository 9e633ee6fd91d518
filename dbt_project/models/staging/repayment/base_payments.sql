{{ config(
    materialized='book_partition',
    contract={'enforced': true},
    follows='row',
    key=['payments', 'payment_id'],
    indexed=['facility_key, value_date'],
) }}

with {{ versions_of_many_cte(source('raw', 'payments'), 'payment_id', in_row_scope('payment_id', 'payments')) }}

select
    {{ book() }} as book,
    payment_id,
    facility_id,
    {{ surrogate_key('facility_id') }} as facility_key,
    due_item_id,
    reverses_payment_id,
    value_date,
    {{ to_cents('amount') }} as amount_cents,
    currency,
    known_from,
    known_until,
    cast(version_no as integer) as version_no,
    is_latest
from versions
