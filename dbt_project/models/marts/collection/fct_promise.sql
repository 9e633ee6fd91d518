with promises as (
    select *
    from {{ ref('stg_promises') }}
    where is_latest
),

facilities as (
    select *
    from {{ ref('int_facility') }}
    where book = {{ book() }}
),

payments as (
    select *
    from {{ ref('stg_payments') }}
    where is_latest
),

paid as (
    select
        promises.promise_id,
        sum(payments.amount_cents) as paid_cents
    from promises
    inner join payments
        on
            promises.facility_key = payments.facility_key
            and payments.value_date between promises.promised_on and promises.due_on
    group by promises.promise_id
),

final as (
    select
        promises.*,
        facilities.customer_id,
        greatest(coalesce(paid.paid_cents, 0), 0) as paid_cents
    from promises
    inner join facilities on promises.facility_key = facilities.facility_key
    left join paid on promises.promise_id = paid.promise_id
)

select
    {{ book() }} as book,
    promise_id,
    facility_id,
    customer_id,
    promised_on,
    due_on,
    {{ from_cents('amount_cents') }} as amount,
    {{ from_cents('paid_cents') }} as paid_by_due,
    case
        when paid_cents + {{ settlement_tolerance('facility_key', 'facilities') }} >= amount_cents then 'kept'
        when due_on < {{ as_of() }} then 'broken'
        else 'running'
    end as outcome
from final
