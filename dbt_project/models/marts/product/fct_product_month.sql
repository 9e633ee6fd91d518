with portfolio as (
    select
        product_id,
        month,
        {{ month_index('month') }} as month_no,
        sum(balance) as balance,
        sum(facilities) as facilities,
        sum(interest_due) as interest_due,
        sum(new_defaults) as new_defaults
    from {{ ref('fct_portfolio_month') }}
    where book = {{ book() }}
    group by product_id, month
),

products as (
    select * from {{ ref('stg_products') }}
),

figures as (
    select
        portfolio.product_id,
        portfolio.month,
        portfolio.balance,
        portfolio.facilities,
        portfolio.new_defaults,
        (portfolio.balance + coalesce(lag(portfolio.balance) over by_month, portfolio.balance)) / 2 as average_balance,
        case
            when sum(portfolio.interest_due) over (partition by portfolio.product_id) is not null
                then coalesce(portfolio.interest_due, 0)
        end as interest_due,
        cast(products.annual_rate as numeric) as annual_rate,
        cast(products.funding_rate as numeric) as funding_rate,
        sum(portfolio.new_defaults) over year_to_month as new_defaults_12m,
        avg(portfolio.facilities) over year_to_month as mean_facilities_12m
    from portfolio
    left join products on portfolio.product_id = products.product_id
    window
        by_month as (partition by portfolio.product_id order by portfolio.month_no),
        year_to_month as (
            partition by portfolio.product_id
            order by portfolio.month_no
            range between 11 preceding and current row
        )
),

earned as (
    select
        *,
        case
            when interest_due is not null then 12 * interest_due / nullif(average_balance, 0)
            else annual_rate
        end as yield
    from figures
)

select
    {{ book() }} as book,
    product_id,
    month,
    cast(balance as numeric(18, 2)) as balance,
    cast(average_balance as numeric(18, 2)) as average_balance,
    cast(facilities as bigint) as facilities,
    cast(interest_due as numeric(18, 2)) as interest_due,
    cast(yield as double precision) as yield,
    cast(funding_rate as double precision) as funding_rate,
    cast(average_balance * funding_rate / 12 as numeric(18, 2)) as funding_cost,
    cast(yield - funding_rate as double precision) as margin_before_risk,
    cast(new_defaults as bigint) as new_defaults,
    cast(new_defaults_12m / nullif(mean_facilities_12m, 0) as double precision) as default_rate
from earned
