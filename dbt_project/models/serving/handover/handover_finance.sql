with panel as (
    {{ open_panel() }}
),

verdicts as (
    select
        customer_id,
        pd
    from {{ source('actions', 'customer_verdict') }}
    where
        book = {{ book() }}
        and as_of_date = {{ as_of() }}
),

-- Share of what fell due that was paid in the month, by bucket a month before, over the last 6 months.
paid as (
    select
        later.product_id,
        earlier.bucket,
        sum(least(greatest(later.amount_paid, 0), later.amount_due)) / nullif(sum(later.amount_due), 0) as rate
    from {{ ref('fct_facility_month') }} as later
    inner join {{ ref('fct_facility_month') }} as earlier
        on
            earlier.book = {{ book() }}
            and later.facility_id = earlier.facility_id
            and earlier.month_end = {{ month_end_before('later.month_end', 1) }}
    where
        later.book = {{ book() }}
        and later.month_end <= {{ panel_day() }}
        and later.month_end > {{ month_end_before(panel_day(), 6) }}
        and later.amount_due > 0
    group by later.product_id, earlier.bucket
),

falling_due as (
    select
        cast(date_trunc('week', due.due_date) as date) as week,
        due.product_id,
        due.open_amount,
        coalesce(paid.rate, 1) as paid_rate,
        coalesce(case when panel.is_default then 1 else cast(verdicts.pd as numeric) end, 0) as pd,
        coalesce(cast(facility.lgd as numeric), 1) as lgd
    from {{ ref('fct_open_due_item') }} as due
    inner join panel on due.facility_id = panel.facility_id
    inner join {{ ref('dim_facility') }} as facility
        on
            facility.book = {{ book() }}
            and due.facility_id = facility.facility_id
    left join verdicts on due.customer_id = verdicts.customer_id
    left join paid
        on
            due.product_id = paid.product_id
            and panel.bucket = paid.bucket
    where
        due.book = {{ book() }}
        and due.due_date > {{ as_of() }}
        and due.due_date <= {{ days_after(as_of(), 91) }}
)

select
    {{ book() }} as book,
    week,
    product_id,
    cast(sum(open_amount) as numeric(18, 2)) as due,
    cast(sum(open_amount * paid_rate) as numeric(18, 2)) as expected_collections,
    cast(sum(open_amount * pd * lgd) as numeric(18, 2)) as expected_loss
from falling_due
group by week, product_id
