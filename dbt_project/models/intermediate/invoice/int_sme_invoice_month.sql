with invoices as (
    select
        customer_id,
        direction,
        counterparty_key,
        {{ month_index('issued_on') }} as month_no,
        {{ month_index(known_on('versions')) }} as known_month_no,
        {{ month_index(known_before('versions')) }} as unknown_month_no,
        status,
        amount_cents
    from {{ ref('stg_sme_invoices') }} as versions
),

-- A version adds its figures in the month in which it is first seen and takes them back where it is corrected.
entries as (
    select
        customer_id,
        direction,
        counterparty_key,
        month_no,
        greatest(known_month_no, month_no) as seen_month_no,
        1 as sign,
        status,
        amount_cents
    from invoices
    where unknown_month_no > greatest(known_month_no, month_no)
    union all
    select
        customer_id,
        direction,
        counterparty_key,
        month_no,
        unknown_month_no,
        -1,
        status,
        amount_cents
    from invoices
    where
        unknown_month_no > greatest(known_month_no, month_no)
        and unknown_month_no < {{ month_index("cast('9999-12-31' as date)") }}
),

summed as (
    select
        customer_id,
        direction,
        counterparty_key,
        month_no,
        seen_month_no,
        sum(sign) as invoices,
        sum(case when status = 'void' then sign else 0 end) as void_invoices,
        sum(case when status = 'valid' and amount_cents < 0 then sign else 0 end) as red_invoices,
        {{ sum_cents("case when status = 'valid' then sign * amount_cents else 0 end") }} as amount_cents
    from entries
    group by customer_id, direction, counterparty_key, month_no, seen_month_no
)

select
    {{ book() }} as book,
    customer_id,
    direction,
    counterparty_key,
    month_no,
    seen_month_no,
    cast(invoices as integer) as invoices,
    cast(void_invoices as integer) as void_invoices,
    cast(red_invoices as integer) as red_invoices,
    amount_cents
from summed
