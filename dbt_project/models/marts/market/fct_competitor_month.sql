with offers as (
    select * from {{ ref('stg_competitor_products') }}
),

products as (
    select * from {{ ref('stg_products') }}
),

product_months as (
    select *
    from {{ ref('fct_product_month') }}
    where book = {{ book() }}
),

own as (
    select
        products.product_type,
        product_months.month,
        {{ month_index('product_months.month') }} as month_no,
        sum(product_months.balance) as own_balance,
        sum(product_months.balance * cast(products.annual_rate as numeric(18, 6)))
        / nullif(sum(case when products.annual_rate is not null then product_months.balance end), 0) as own_rate,
        sum(product_months.balance * product_months.yield)
        / nullif(sum(case when product_months.yield is not null then product_months.balance end), 0) as own_yield
    from product_months
    inner join products on product_months.product_id = products.product_id
    group by products.product_type, product_months.month, {{ month_index('product_months.month') }}
),

-- An offer counts in the months after it was seen, half a year at most.
seen as (
    select
        own.product_type,
        own.month,
        own.month_no,
        own.own_balance,
        own.own_rate,
        own.own_yield,
        offers.competitor,
        offers.annual_rate,
        offers.max_amount,
        offers.max_term_months,
        offers.observed_on,
        row_number() over (
            partition by own.product_type, own.month, offers.competitor
            order by offers.observed_on desc
        ) as newest
    from own
    inner join offers
        on
            own.product_type = offers.product_type
            and own.month >= offers.observed_on
            and {{ month_end_before('own.month', 6) }} < offers.observed_on
),

current_offers as (
    select * from seen
    where newest <= 1
),

compared as (
    select
        *,
        annual_rate - first_value(annual_rate) over {{ month_ago(6, 'product_type, competitor') }} as rate_change_6m,
        row_number() over (partition by product_type, month order by annual_rate, competitor) as rank
    from current_offers
)

select
    {{ book() }} as book,
    month,
    product_type,
    competitor,
    observed_on,
    cast(annual_rate as double precision) as annual_rate,
    cast(rate_change_6m as double precision) as rate_change_6m,
    cast(rank as integer) as rank,
    cast(max_amount as numeric(18, 2)) as max_amount,
    cast(max_term_months as integer) as max_term_months,
    cast(own_balance as numeric(18, 2)) as own_balance,
    cast(own_rate as double precision) as own_rate,
    cast(own_yield as double precision) as own_yield,
    cast(own_rate - annual_rate as double precision) as rate_gap
from compared
