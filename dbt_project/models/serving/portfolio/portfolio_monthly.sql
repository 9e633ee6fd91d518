with scored as (
    select
        as_of_date,
        customer_id,
        cast(pd as numeric) as pd
    from {{ source('scoring', 'worst_score') }}
    where book = {{ book() }}
),

loss as (
    select
        panel.month_end,
        panel.product_id,
        coalesce(customers.customer_type, 'unknown') as segment,
        count(scored.pd) > 0 as is_scored,
        sum(case when panel.is_default then 1 else scored.pd end * panel.loss_given_default) as expected_loss
    from {{ ref('fct_facility_month') }} as panel
    left join {{ ref('dim_customer') }} as customers
        on
            customers.book = {{ book() }}
            and panel.customer_id = customers.customer_id
    left join scored
        on
            panel.customer_id = scored.customer_id
            and panel.month_end = scored.as_of_date
    where
        panel.book = {{ book() }}
        and panel.month_end in (select days.as_of_date from scored as days)
        and panel.month_end <= {{ as_of() }}
    group by panel.month_end, panel.product_id, coalesce(customers.customer_type, 'unknown')
)

select
    {{ book() }} as book,
    portfolio.month,
    portfolio.product_id,
    portfolio.segment,
    portfolio.facilities,
    portfolio.balance,
    portfolio.overdue_balance,
    portfolio.npl_balance,
    portfolio.overdue_ratio,
    portfolio.npl_ratio,
    portfolio.new_defaults,
    portfolio.cures,
    portfolio.write_offs,
    cast(case when loss.is_scored then loss.expected_loss end as numeric(18, 2)) as expected_loss
from {{ ref('fct_portfolio_month') }} as portfolio
left join loss
    on
        portfolio.month = loss.month_end
        and portfolio.product_id = loss.product_id
        and portfolio.segment = loss.segment
where
    portfolio.book = {{ book() }}
    and portfolio.month <= {{ as_of() }}
