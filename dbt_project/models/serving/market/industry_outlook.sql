with scored_months as (
    select distinct as_of_date
    from {{ source('scoring', 'customer_scores') }}
    where book = {{ book() }}
),

owed as (
    select
        customer_id,
        month_end,
        sum(balance) as balance
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and may_draw
        and month_end in (select scored_months.as_of_date from scored_months)
    group by customer_id, month_end
),

scored as (
    select
        customers.industry,
        owed.month_end,
        sum(owed.balance * cast(scores.pd as numeric)) / nullif(sum(owed.balance), 0) as own_pd
    from owed
    inner join {{ ref('dim_customer') }} as customers
        on
            customers.book = {{ book() }}
            and owed.customer_id = customers.customer_id
    inner join {{ source('scoring', 'worst_score') }} as scores
        on
            scores.book = {{ book() }}
            and owed.customer_id = scores.customer_id
            and owed.month_end = scores.as_of_date
    where customers.industry is not null
    group by customers.industry, owed.month_end
)

select
    {{ book() }} as book,
    industries.industry,
    industries.month,
    industries.index_value,
    industries.change_6m,
    industries.own_exposure,
    industries.own_overdue_ratio,
    cast(scored.own_pd as double precision) as own_pd
from {{ ref('fct_industry_month') }} as industries
left join scored
    on
        industries.industry = scored.industry
        and industries.month = scored.month_end
where
    industries.book = {{ book() }}
    and industries.month <= {{ as_of() }}
