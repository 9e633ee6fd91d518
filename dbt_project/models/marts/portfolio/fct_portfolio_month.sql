{{ config(follows='month', indexed=['month']) }}

with facility_months as (
    select
        *,
        {{ month_index('month_end') }} as month_no
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and {{ in_month_scope('month_end', and_before=true) }}
),

-- Default a month before; a facility that was not in the panel then was not in default.
moves as (
    select
        *,
        coalesce(lag(month_no) over facility = month_no - 1 and lag(is_default) over facility, false) as was_default
    from facility_months
    window facility as (partition by facility_id order by month_end)
),

customers as (
    select *
    from {{ ref('dim_customer') }}
    where book = {{ book() }}
),

summed as (
    select
        moves.month_end as month,
        moves.product_id,
        coalesce(customers.customer_type, 'unknown') as segment,
        count(case when {{ is_open('moves.status') }} then 1 end) as facilities,
        sum(moves.balance) as balance,
        sum(case when moves.dpd > 0 then moves.balance else 0 end) as overdue_balance,
        sum(
            case
                when moves.class5 in ('substandard', 'doubtful', 'loss') then moves.balance
                else 0
            end
        ) as npl_balance,
        sum(moves.interest_due) as interest_due,
        count(case when moves.is_default and not moves.was_default then 1 end) as new_defaults,
        count(case when moves.was_default and not moves.is_default then 1 end) as cures,
        count(case when moves.status = 'written_off' then 1 end) as write_offs
    from moves
    left join customers on moves.customer_id = customers.customer_id
    where {{ in_month_scope('moves.month_end') }}
    group by moves.month_end, moves.product_id, coalesce(customers.customer_type, 'unknown')
)

select
    {{ book() }} as book,
    month,
    product_id,
    segment,
    facilities,
    cast(balance as numeric(18, 2)) as balance,
    cast(overdue_balance as numeric(18, 2)) as overdue_balance,
    cast(npl_balance as numeric(18, 2)) as npl_balance,
    cast(overdue_balance / nullif(balance, 0) as double precision) as overdue_ratio,
    cast(npl_balance / nullif(balance, 0) as double precision) as npl_ratio,
    cast(interest_due as numeric(18, 2)) as interest_due,
    new_defaults,
    cures,
    write_offs,
    cast(null as numeric(18, 2)) as expected_loss
from summed
