with exposed as (
    select
        panel.month_end,
        panel.product_id,
        panel.customer_id,
        panel.is_default,
        panel.loss_given_default as loss,
        cast(facility.lgd as numeric) * coalesce(panel.written_off_amount, 0) as written_off
    from {{ ref('fct_facility_month') }} as panel
    inner join {{ ref('dim_facility') }} as facility
        on
            facility.book = {{ book() }}
            and panel.facility_id = facility.facility_id
    where
        panel.book = {{ book() }}
        and panel.month_end <= {{ as_of() }}
),

scored as (
    select
        as_of_date,
        customer_id,
        cast(pd as numeric) as pd
    from {{ source('scoring', 'worst_score') }}
    where book = {{ book() }}
),

loss as (
    select
        exposed.month_end,
        exposed.product_id,
        {{ month_index('exposed.month_end') }} as month_no,
        sum(exposed.written_off) as written_off,
        coalesce(sum(exposed.loss) filter (where exposed.is_default), 0) as on_defaulted,
        coalesce(sum(exposed.loss * scored.pd) filter (where not exposed.is_default), 0) as of_the_rest,
        count(scored.pd) > 0 as is_scored
    from exposed
    left join scored
        on
            exposed.customer_id = scored.customer_id
            and exposed.month_end = scored.as_of_date
    group by exposed.month_end, exposed.product_id
),

-- What a year adds to the loss on defaulted stock; what was written off in it is no gain (domain.md#cost-of-risk).
added as (
    select
        *,
        on_defaulted - first_value(on_defaulted) over year_before + sum(written_off) over this_year as added
    from loss
    window
        year_before as (partition by product_id order by month_no range between 12 preceding and current row),
        this_year as (partition by product_id order by month_no range between 11 preceding and current row)
),

-- A month without scores has neither figure.
risk as (
    select
        month_end,
        product_id,
        on_defaulted + of_the_rest as expected_loss,
        added + of_the_rest as cost_of_risk
    from added
    where is_scored
)

select
    {{ book() }} as book,
    products.product_id,
    products.month,
    products.balance,
    products.yield,
    cast(risk.expected_loss as numeric(18, 2)) as expected_loss,
    products.funding_cost,
    products.margin_before_risk
    - cast(risk.cost_of_risk / nullif(products.average_balance, 0) as double precision) as margin,
    products.default_rate,
    products.margin_before_risk,
    products.facilities,
    products.new_defaults,
    cast(risk.cost_of_risk as numeric(18, 2)) as cost_of_risk
from {{ ref('fct_product_month') }} as products
left join risk
    on
        products.product_id = risk.product_id
        and products.month = risk.month_end
where
    products.book = {{ book() }}
    and products.month <= {{ as_of() }}
