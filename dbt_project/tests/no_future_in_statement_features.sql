-- The statement that a feature rests on was published and learnt by the end of its observation date (domain.md#point-in-time).
with features as (
    select
        customer_id,
        observation_date,
        statement_period_end,
        statement_published_on,
        total_assets
    from {{ ref('feat_corporate_financial') }}
    where
        book = {{ book() }}
        and statement_period_end is not null
),

statements as (
    select
        customer_id,
        period_end,
        published_on,
        total_assets,
        min(known_from) as known_from
    from {{ ref('int_statement_ratio') }}
    where book = {{ book() }}
    group by customer_id, period_end, published_on, total_assets
)

select
    features.customer_id,
    features.observation_date,
    features.statement_period_end,
    features.statement_published_on,
    statements.known_from
from features
left join statements
    on
        features.customer_id = statements.customer_id
        and features.statement_period_end = statements.period_end
        and features.statement_published_on = statements.published_on
        and features.total_assets is not distinct from statements.total_assets
where
    not coalesce(
        features.statement_published_on <= features.observation_date
        and statements.known_from < {{ end_of_day('features.observation_date') }},
        false
    )
