with non_performing as (
    select
        *,
        case class_reason
            when 'days' then 'past_due_90'
            when 'upgrade_wait' then 'cure_period'
            else class_reason
        end as cause
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and month_end <= {{ as_of() }}
        and class5 in ('substandard', 'doubtful', 'loss')
        and status not in ('closed', 'written_off')
)

select
    {{ book() }} as book,
    month_end as month,
    product_id,
    cause,
    count(*) as facilities,
    cast(sum(balance) as numeric(18, 2)) as balance
from non_performing
group by month_end, product_id, cause
