{{ config(follows='month', indexed=['month']) }}

with moves as (
    select
        product_id,
        month_end,
        {{ month_index('month_end') }} as month_no,
        status,
        bucket,
        balance,
        lag(status) over facility as from_status,
        lag(bucket) over facility as from_bucket,
        lag(balance) over facility as from_balance,
        lag({{ month_index('month_end') }}) over facility as from_month_no
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and {{ in_month_scope('month_end', and_before=true) }}
    window facility as (partition by facility_id order by month_end)
),

cells as (
    select
        month_end as month,
        product_id,
        from_bucket,
        case when status in ('closed', 'written_off') then status else bucket end as to_bucket,
        count(*) as facilities,
        sum(from_balance) as balance
    from moves
    where
        from_month_no = month_no - 1
        and from_status not in ('closed', 'written_off')
        and {{ in_month_scope('month_end') }}
    group by
        month_end,
        product_id,
        from_bucket,
        case when status in ('closed', 'written_off') then status else bucket end
)

select
    {{ book() }} as book,
    month,
    product_id,
    from_bucket,
    to_bucket,
    facilities,
    cast(balance as numeric(18, 2)) as balance,
    facilities
    / cast(sum(facilities) over (partition by month, product_id, from_bucket) as double precision) as rate_by_count,
    cast(
        balance / nullif(sum(balance) over (partition by month, product_id, from_bucket), 0) as double precision
    ) as rate_by_balance
from cells
