-- The portfolio's balance is the sum of its facilities' balances every month, to the cent (domain.md#npl-ratio).
with facility_months as (
    select
        month_end as month,
        sum(balance) as balance
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
    group by month_end
),

portfolio_months as (
    select
        month,
        sum(balance) as balance
    from {{ ref('fct_portfolio_month') }}
    where book = {{ book() }}
    group by month
)

select
    coalesce(facility_months.month, portfolio_months.month) as month,
    facility_months.balance as facility_balance,
    portfolio_months.balance as portfolio_balance
from facility_months
full join portfolio_months on facility_months.month = portfolio_months.month
where facility_months.balance is distinct from portfolio_months.balance
