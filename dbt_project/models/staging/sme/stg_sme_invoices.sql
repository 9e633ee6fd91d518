with versions as (
    {{ known_versions(
        source('raw', 'sme_invoices'),
        ['customer_id', 'direction', 'invoice_no', 'issued_on', 'counterparty_id']
    ) }}
)

select
    customer_id,
    direction,
    invoice_no,
    issued_on,
    counterparty_id,
    {{ surrogate_key('counterparty_id') }} as counterparty_key,
    {{ to_cents('amount') }} as amount_cents,
    status,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
where issued_on <= {{ as_of() }}
