with overdue_before as (
    select
        later.month_end as month,
        later.product_id,
        earlier.bucket,
        later.facility_id,
        earlier.overdue_amount,
        coalesce(later.recovered_amount, 0) as recovered_amount,
        later.dpd = 0 and later.status <> 'written_off' as is_cured
    from {{ ref('fct_facility_month') }} as later
    inner join {{ ref('fct_facility_month') }} as earlier
        on
            earlier.book = {{ book() }}
            and later.facility_id = earlier.facility_id
            and earlier.month_end = {{ month_end_before('later.month_end', 1) }}
    where
        later.book = {{ book() }}
        and later.month_end <= {{ as_of() }}
        and earlier.overdue_amount > 0
),

promises as (
    select
        overdue_before.month,
        overdue_before.product_id,
        overdue_before.bucket,
        count(*) as due,
        count(*) filter (where promise.outcome = 'kept') as kept
    from overdue_before
    inner join {{ ref('fct_promise') }} as promise
        on
            promise.book = {{ book() }}
            and overdue_before.facility_id = promise.facility_id
            and promise.outcome <> 'running'
            and date_trunc('month', promise.due_on) = date_trunc('month', overdue_before.month)
    group by overdue_before.month, overdue_before.product_id, overdue_before.bucket
),

achieved as (
    select
        month,
        product_id,
        bucket,
        count(*) as facilities,
        sum(overdue_amount) as overdue_amount,
        sum(recovered_amount) as recovered_amount,
        count(*) filter (where is_cured) as cured
    from overdue_before
    group by month, product_id, bucket
)

select
    {{ book() }} as book,
    achieved.month,
    achieved.product_id,
    achieved.bucket,
    achieved.facilities,
    cast(achieved.overdue_amount as numeric(18, 2)) as overdue_amount,
    cast(achieved.recovered_amount as numeric(18, 2)) as recovered_amount,
    cast(achieved.recovered_amount / nullif(achieved.overdue_amount, 0) as double precision) as recovery_rate,
    cast(achieved.cured as double precision) / achieved.facilities as cure_rate,
    coalesce(promises.due, 0) as promises_due,
    cast(promises.kept as double precision) / nullif(promises.due, 0) as promise_kept_rate
from achieved
left join promises
    on
        achieved.month = promises.month
        and achieved.product_id = promises.product_id
        and achieved.bucket = promises.bucket
