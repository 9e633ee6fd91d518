with months as (
    select *
    from {{ ref('int_sme_invoice_month') }}
    where book = {{ book() }}
),

counterparties as (
    select
        customer_id,
        direction,
        counterparty_key,
        month_no,
        sum(invoices) as invoices,
        sum(void_invoices) as void_invoices,
        sum(red_invoices) as red_invoices,
        sum(amount_cents) as amount_cents
    from months
    group by customer_id, direction, counterparty_key, month_no
),

summed as (
    select
        customer_id,
        month_no,
        sum(case when direction = 'sale' then amount_cents else 0 end) as sales_cents,
        sum(case when direction = 'purchase' then amount_cents else 0 end) as purchases_cents,
        sum(case when direction = 'sale' then invoices else 0 end) as sale_invoices,
        sum(case when direction = 'purchase' then invoices else 0 end) as purchase_invoices,
        sum(void_invoices) as void_invoices,
        sum(red_invoices) as red_invoices,
        count(case when direction = 'sale' and invoices > void_invoices then 1 end) as buyers,
        count(case when direction = 'purchase' and invoices > void_invoices then 1 end) as suppliers
    from counterparties
    group by customer_id, month_no
)

select
    {{ book() }} as book,
    customer_id,
    {{ month_of_index('month_no') }} as month,
    {{ from_cents('sales_cents') }} as sales,
    {{ from_cents('purchases_cents') }} as purchases,
    cast(sale_invoices as integer) as sale_invoices,
    cast(purchase_invoices as integer) as purchase_invoices,
    cast(void_invoices as integer) as void_invoices,
    cast(red_invoices as integer) as red_invoices,
    cast(buyers as integer) as buyers,
    cast(suppliers as integer) as suppliers
from summed
