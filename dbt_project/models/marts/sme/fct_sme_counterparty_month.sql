with invoices as (
    select *
    from {{ ref('stg_sme_invoices') }}
    where is_latest
)

select
    {{ book() }} as book,
    customer_id,
    direction,
    counterparty_id,
    {{ month_end('issued_on') }} as month_end,
    cast(count(*) as integer) as invoices,
    cast(count(case when status = 'void' then 1 end) as integer) as void_invoices,
    cast(count(case when status = 'valid' and amount_cents < 0 then 1 end) as integer) as red_invoices,
    {{ from_cents("coalesce(sum(case when status = 'valid' then amount_cents end), 0)") }} as amount
from invoices
group by
    customer_id,
    direction,
    counterparty_id,
    {{ month_end('issued_on') }}
