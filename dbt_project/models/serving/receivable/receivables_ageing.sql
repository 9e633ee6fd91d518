select
    {{ book() }} as book,
    customer_id,
    not_due,
    d1_30,
    d31_60,
    d61_90,
    d91_120,
    d120_plus,
    disputed,
    dso,
    countback_dso,
    best_possible_dso,
    add_days,
    dbt_days,
    cei,
    receivables,
    open_invoices,
    opening_receivables,
    credit_sales,
    period_days
from {{ ref('fct_receivables_ageing') }}
where book = {{ book() }}
