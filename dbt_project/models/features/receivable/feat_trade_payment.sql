with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and product_type = 'trade_credit'
),

facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and product_type = 'trade_credit'
),

restated as (
    select *
    from {{ ref('int_restated_observation') }}
    where book = {{ book() }}
),

known_then as (
    select *
    from {{ ref('int_facility_month_known_then') }}
    where
        book = {{ book() }}
        and product_type = 'trade_credit'
),

due_items as (
    select
        due_items.due_item_id,
        facilities.facility_id,
        due_items.effective_on as issued_on,
        due_items.due_date,
        due_items.amount_cents,
        {{ known_on('due_items') }} as known_on,
        {{ known_before('due_items') }} as known_before
    from {{ ref('stg_due_items') }} as due_items
    inner join facilities on due_items.facility_id = facilities.facility_id
),

payments as (
    select
        payment_id,
        due_item_id,
        reverses_payment_id,
        value_date,
        amount_cents,
        {{ known_on('payments') }} as known_on,
        {{ known_before('payments') }} as known_before
    from {{ ref('stg_payments') }} as payments
),

disputes as (
    select
        dispute_id,
        due_item_id,
        opened_on,
        closed_on,
        {{ known_on('disputes') }} as known_on,
        {{ known_before('disputes') }} as known_before
    from {{ ref('stg_disputes') }} as disputes
),

-- The accounts at the observation date, as known then.
panel as (
    select
        facility_months.customer_id,
        facility_months.month_end as observation_date,
        facility_months.status,
        facility_months.balance,
        facility_months.credit_limit,
        facility_months.overdue_amount,
        facility_months.dpd
    from facility_months
    left join restated
        on
            facility_months.facility_id = restated.facility_id
            and facility_months.month_end = restated.observation_date
    where restated.facility_id is null
    union all
    select
        customer_id,
        observation_date,
        status,
        balance,
        credit_limit,
        overdue_amount,
        dpd
    from known_then
    where month_end = observation_date
),

versions as (
    select
        versions.facility_id,
        versions.customer_id,
        versions.effective_date,
        {{ known_on('versions') }} as known_on,
        {{ known_before('versions') }} as known_before
    from {{ ref('stg_facilities') }} as versions
    inner join facilities on versions.facility_id = facilities.facility_id
),

moved as (
    select facility_id
    from versions
    group by facility_id
    having min(customer_id) <> max(customer_id)
),

observation_days as (
    select distinct observation_date
    from panel
),

moved_then as (
    select
        versions.facility_id,
        versions.customer_id,
        versions.effective_date,
        days.observation_date
    from versions
    inner join moved on versions.facility_id = moved.facility_id
    inner join observation_days as days
        on
            versions.effective_date <= days.observation_date
            and days.observation_date >= versions.known_on
            and days.observation_date < versions.known_before
),

-- Who held an account on a day, as seen on days from `seen_from` on and before `seen_before`: what was invoiced, paid or
-- disputed before an account moved stays with the one who held it then.
holders as (
    select
        facility_id,
        customer_id,
        cast('0001-01-01' as date) as from_on,
        {{ end_of_time() }} as until_on,
        cast('0001-01-01' as date) as seen_from,
        {{ end_of_time() }} as seen_before
    from facilities
    where facility_id not in (select moved.facility_id from moved)
    union all
    select
        facility_id,
        customer_id,
        case
            when lag(effective_date) over history is null then cast('0001-01-01' as date)
            else effective_date
        end,
        coalesce(lead(effective_date) over history, {{ end_of_time() }}),
        observation_date,
        {{ days_after('observation_date', 1) }}
    from moved_then
    window history as (partition by facility_id, observation_date order by effective_date)
),

held_items as (
    select
        holders.customer_id,
        due_items.issued_on,
        due_items.amount_cents,
        greatest(due_items.issued_on, due_items.known_on, holders.seen_from) as seen_from,
        least(due_items.known_before, holders.seen_before) as seen_before
    from due_items
    inner join holders
        on
            due_items.facility_id = holders.facility_id
            and due_items.issued_on >= holders.from_on
            and due_items.issued_on < holders.until_on
),

observations as (
    select
        customer_id,
        observation_date,
        {{ month_end_before('observation_date', 3) }} as months_ago_3,
        {{ month_end_before('observation_date', 6) }} as months_ago_6,
        {{ month_end_before('observation_date', 12) }} as months_ago_12,
        sum(balance) as receivables,
        sum(overdue_amount) as overdue_amount,
        max(dpd) as dpd_now,
        sum(case when credit_limit > 0 then balance end) as limited_balance,
        sum(case when credit_limit > 0 then credit_limit end) as credit_limit
    from panel
    group by customer_id, observation_date
),

invoiced as (
    select
        observations.customer_id,
        observations.observation_date,
        count(case when held_items.amount_cents > 0 then 1 end) as invoices_12m,
        sum(case when held_items.issued_on > observations.months_ago_3 then held_items.amount_cents end) as invoiced_3m,
        sum(
            case
                when held_items.issued_on > observations.months_ago_6 and held_items.issued_on <= observations.months_ago_3
                    then held_items.amount_cents
            end
        ) as invoiced_before_3m,
        sum(held_items.amount_cents) as invoiced_12m
    from observations
    inner join held_items
        on
            observations.customer_id = held_items.customer_id
            and held_items.issued_on > observations.months_ago_12
            and observations.observation_date >= held_items.seen_from
            and observations.observation_date < held_items.seen_before
    group by observations.customer_id, observations.observation_date
),

reversed as (
    select
        reverses_payment_id as payment_id,
        min(greatest(value_date, known_on)) as reversed_on
    from payments
    where reverses_payment_id is not null
    group by reverses_payment_id
),

-- Payments that name their invoice, from the day on which both were known until either is corrected or reversed.
lateness as (
    select
        holders.customer_id,
        payments.value_date,
        payments.amount_cents,
        {{ days_between('due_items.due_date', 'payments.value_date') }} as days_beyond_terms,
        greatest(payments.value_date, payments.known_on, due_items.known_on, holders.seen_from) as seen_from,
        least(payments.known_before, due_items.known_before, reversed.reversed_on, holders.seen_before) as seen_before
    from payments
    inner join due_items on payments.due_item_id = due_items.due_item_id
    inner join holders
        on
            due_items.facility_id = holders.facility_id
            and payments.value_date >= holders.from_on
            and payments.value_date < holders.until_on
    left join reversed on payments.payment_id = reversed.payment_id
    where
        payments.amount_cents > 0
        and payments.reverses_payment_id is null
),

paid as (
    select
        observations.customer_id,
        observations.observation_date,
        sum(case when lateness.value_date > observations.months_ago_3 then lateness.amount_cents end) as paid_3m,
        sum(
            case
                when lateness.value_date > observations.months_ago_3
                    then lateness.amount_cents * lateness.days_beyond_terms
            end
        ) as paid_days_3m,
        sum(
            case
                when lateness.value_date > observations.months_ago_6 and lateness.value_date <= observations.months_ago_3
                    then lateness.amount_cents
            end
        ) as paid_before_3m,
        sum(
            case
                when lateness.value_date > observations.months_ago_6 and lateness.value_date <= observations.months_ago_3
                    then lateness.amount_cents * lateness.days_beyond_terms
            end
        ) as paid_days_before_3m,
        sum(lateness.amount_cents) as paid_12m,
        sum(lateness.amount_cents * lateness.days_beyond_terms) as paid_days_12m,
        sum(case when lateness.days_beyond_terms > 0 then lateness.amount_cents else 0 end) as paid_late_12m,
        max(lateness.days_beyond_terms) as worst_days_12m
    from observations
    inner join lateness
        on
            observations.customer_id = lateness.customer_id
            and lateness.value_date > observations.months_ago_12
            and observations.observation_date >= lateness.seen_from
            and observations.observation_date < lateness.seen_before
    group by observations.customer_id, observations.observation_date
),

disputed_items as (
    select
        holders.customer_id,
        disputes.due_item_id,
        disputes.opened_on,
        disputes.closed_on,
        greatest(disputes.opened_on, disputes.known_on, due_items.known_on, holders.seen_from) as seen_from,
        least(disputes.known_before, due_items.known_before, holders.seen_before) as seen_before
    from disputes
    inner join due_items on disputes.due_item_id = due_items.due_item_id
    inner join holders
        on
            due_items.facility_id = holders.facility_id
            and disputes.opened_on >= holders.from_on
            and disputes.opened_on < holders.until_on
),

disputed as (
    select
        observations.customer_id,
        observations.observation_date,
        count(distinct disputed_items.due_item_id) as disputed_12m,
        count(
            distinct case when disputed_items.closed_on > observations.observation_date then disputed_items.due_item_id end
        ) as open_disputes
    from observations
    inner join disputed_items
        on
            observations.customer_id = disputed_items.customer_id
            and disputed_items.opened_on > observations.months_ago_12
            and observations.observation_date >= disputed_items.seen_from
            and observations.observation_date < disputed_items.seen_before
    group by observations.customer_id, observations.observation_date
)

select
    {{ book() }} as book,
    observations.customer_id,
    observations.observation_date,
    cast(observations.receivables as numeric(18, 2)) as receivables,
    cast(observations.overdue_amount / nullif(observations.receivables, 0) as double precision) as overdue_share,
    observations.dpd_now,
    cast(observations.limited_balance / nullif(observations.credit_limit, 0) as double precision) as utilisation,
    cast(coalesce(invoiced.invoices_12m, 0) as integer) as invoices_12m,
    {{ from_cents('coalesce(invoiced.invoiced_3m, 0)') }} as invoiced_3m,
    {{ from_cents('coalesce(invoiced.invoiced_12m, 0)') }} as invoiced_12m,
    {{ growth('coalesce(invoiced.invoiced_3m, 0)', 'invoiced.invoiced_before_3m') }} as invoiced_growth_qoq,
    cast(paid.paid_days_3m / nullif(paid.paid_3m, 0) as double precision) as days_beyond_terms_3m,
    cast(paid.paid_days_12m / nullif(paid.paid_12m, 0) as double precision) as days_beyond_terms_12m,
    cast(
        paid.paid_days_3m / nullif(paid.paid_3m, 0)
        - paid.paid_days_before_3m / nullif(paid.paid_before_3m, 0) as double precision
    ) as days_beyond_terms_change_3m,
    cast(paid.paid_late_12m / nullif(paid.paid_12m, 0) as double precision) as paid_late_share_12m,
    paid.worst_days_12m as worst_days_beyond_terms_12m,
    coalesce(disputed.disputed_12m, 0)
    / cast(nullif(invoiced.invoices_12m, 0) as double precision) as dispute_rate_12m,
    cast(coalesce(disputed.open_disputes, 0) as integer) as open_disputes
from observations
left join invoiced
    on
        observations.customer_id = invoiced.customer_id
        and observations.observation_date = invoiced.observation_date
left join paid
    on
        observations.customer_id = paid.customer_id
        and observations.observation_date = paid.observation_date
left join disputed
    on
        observations.customer_id = disputed.customer_id
        and observations.observation_date = disputed.observation_date
