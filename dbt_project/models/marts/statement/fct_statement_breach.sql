with statements as (
    select *
    from {{ ref('int_statement_ratio') }}
    where
        book = {{ book() }}
        and known_until is null
),

breaches as (
    select
        *,
        'assets_equal_liabilities_and_equity' as identity,
        balance_difference as difference,
        balance_difference / nullif(abs(total_assets), 0) as relative_difference
    from statements
    where is_unbalanced
    union all
    select
        *,
        'cash_flow_equals_change_in_cash' as identity,
        cash_difference as difference,
        cash_difference / nullif(cash_flow_volume, 0) as relative_difference
    from statements
    where is_cash_unreconciled
)

select
    {{ book() }} as book,
    customer_id,
    period_end,
    published_on,
    identity,
    cast(difference as numeric(18, 2)) as difference,
    cast(relative_difference as double precision) as relative_difference
from breaches
