with customers as (
    select *
    from {{ ref('dim_customer') }}
    where
        book = {{ book() }}
        and customer_type = 'retail'
),

facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

known_then as (
    select *
    from {{ ref('int_facility_month_known_then') }}
    where book = {{ book() }}
),

restated as (
    select *
    from {{ ref('int_restated_observation') }}
    where book = {{ book() }}
),

-- A facility that moved is restated for whoever holds it now and for whoever held it as known then.
restated_customers as (
    select
        customer_id,
        observation_date
    from restated
    union
    select
        customer_id,
        observation_date
    from known_then
    union
    select
        facility_months.customer_id,
        restated.observation_date
    from restated
    inner join facility_months
        on
            restated.facility_id = facility_months.facility_id
            and restated.observation_date >= facility_months.month_end
),

-- The panel as known now, and for observations that later rows changed, the panel as known then.
panel as (
    select
        customer_id,
        cast(0 as integer) as known_month_no,
        facility_id,
        product_id,
        month_end,
        opened_on,
        status,
        mob,
        balance,
        opening_balance,
        credit_limit,
        amount_due,
        amount_paid,
        overdue_amount,
        dpd,
        repayment_state,
        method
    from facility_months
    union all
    select
        restated_customers.customer_id,
        {{ month_index('restated_customers.observation_date') }},
        facility_months.facility_id,
        facility_months.product_id,
        facility_months.month_end,
        facility_months.opened_on,
        facility_months.status,
        facility_months.mob,
        facility_months.balance,
        facility_months.opening_balance,
        facility_months.credit_limit,
        facility_months.amount_due,
        facility_months.amount_paid,
        facility_months.overdue_amount,
        facility_months.dpd,
        facility_months.repayment_state,
        facility_months.method
    from restated_customers
    inner join facility_months
        on
            restated_customers.customer_id = facility_months.customer_id
            and restated_customers.observation_date >= facility_months.month_end
    left join restated
        on
            facility_months.facility_id = restated.facility_id
            and restated_customers.observation_date = restated.observation_date
    where restated.facility_id is null
    union all
    select
        customer_id,
        {{ month_index('observation_date') }},
        facility_id,
        product_id,
        month_end,
        opened_on,
        status,
        mob,
        balance,
        opening_balance,
        credit_limit,
        amount_due,
        amount_paid,
        overdue_amount,
        dpd,
        repayment_state,
        method
    from known_then
),

customer_months as (
    select
        panel.customer_id,
        panel.known_month_no,
        panel.month_end,
        {{ month_index('panel.month_end') }} as month_no,
        max(panel.mob) as months_on_book,
        min(case when {{ may_draw('panel.status') }} then panel.mob end) as newest_account_months,
        count(case when {{ may_draw('panel.status') }} then 1 end) as active_facilities,
        count(distinct case when {{ may_draw('panel.status') }} then panel.product_id end) as products_held,
        sum(panel.balance) as balance,
        sum(panel.credit_limit) as credit_limit,
        cast(
            sum(case when panel.credit_limit > 0 then panel.balance end)
            / nullif(sum(case when panel.credit_limit > 0 then panel.credit_limit end), 0) as double precision
        ) as utilisation,
        max(panel.dpd) as dpd,
        sum(panel.overdue_amount) as overdue_amount,
        max(panel.repayment_state) as repayment_state,
        sum(panel.amount_paid) as paid,
        sum(case when panel.method = 'settled' then panel.amount_due else panel.opening_balance end) as payment_base,
        sum(
            case
                when (case when panel.method = 'settled' then panel.amount_due else panel.opening_balance end) is not null
                    then panel.amount_paid
            end
        ) as paid_on_base
    from panel
    inner join customers on panel.customer_id = customers.customer_id
    group by panel.customer_id, panel.known_month_no, panel.month_end
),

behaviour as (
    select
        *,
        avg(utilisation) over last_3 as utilisation_avg_3m,
        avg(utilisation) over last_6 as utilisation_avg_6m,
        max(utilisation) over last_6 as utilisation_max_6m,
        max(dpd) over last_3 as dpd_max_3m,
        max(dpd) over last_6 as dpd_max_6m,
        max(dpd) over last_12 as dpd_max_12m,
        count(case when dpd > 0 then 1 end) over last_6 as months_overdue_6m,
        count(case when dpd > 0 then 1 end) over last_12 as months_overdue_12m,
        count(case when dpd > 30 then 1 end) over last_6 as months_dpd30_6m,
        month_no - max(case when dpd > 0 then month_no end) over so_far as months_since_overdue,
        sum(paid) over last_3 as paid_3m,
        avg(paid) over last_3 as paid_avg_3m,
        avg(paid) over last_6 as paid_avg_6m,
        max(paid) over last_6 as paid_max_6m,
        min(paid) over last_6 as paid_min_6m,
        sum(balance) over last_3 as balance_3m,
        sum(paid_on_base) over last_3 as paid_on_base_3m,
        sum(payment_base) over last_3 as payment_base_3m,
        sum(paid_on_base) over last_6 as paid_on_base_6m,
        sum(payment_base) over last_6 as payment_base_6m,
        avg(utilisation) over before_3 as utilisation_avg_before_3m,
        {% for lag in range(1, 6) %}
        max(repayment_state) over ago_{{ lag }} as repayment_state_m{{ lag }},
        max(balance) over ago_{{ lag }} as balance_m{{ lag }},
        max(paid) over ago_{{ lag }} as paid_m{{ lag }},
        {% endfor %}
        max(utilisation) over ago_3 as utilisation_m3
    from customer_months
    window
        so_far as (
            partition by customer_id, known_month_no
            order by month_no
            rows unbounded preceding
        ),
        last_3 as {{ last_months(3) }},
        last_6 as {{ last_months(6) }},
        last_12 as {{ last_months(12) }},
        before_3 as (
            partition by customer_id, known_month_no
            order by month_no
            range between 5 preceding and 3 preceding
        ),
        {% for lag in range(1, 6) %}
        ago_{{ lag }} as {{ month_ago(lag) }}{{ ',' if not loop.last }}
        {% endfor %}
),

-- Of an observation that later rows changed, only the row as known then counts.
observed as (
    select behaviour.*
    from behaviour
    left join restated_customers
        on
            behaviour.customer_id = restated_customers.customer_id
            and behaviour.month_end = restated_customers.observation_date
    where
        (behaviour.known_month_no = 0 and restated_customers.customer_id is null)
        or behaviour.known_month_no = behaviour.month_no
)

select
    {{ book() }} as book,
    customer_id,
    month_end as observation_date,
    months_on_book,
    cast(active_facilities as integer) as active_facilities,
    cast(balance as numeric(18, 2)) as balance_total,
    cast(credit_limit as numeric(18, 2)) as limit_total,
    utilisation as utilisation_now,
    utilisation_avg_3m,
    utilisation_avg_6m,
    utilisation_max_6m,
    utilisation - utilisation_m3 as utilisation_change_3m,
    dpd as dpd_now,
    dpd_max_3m,
    dpd_max_6m,
    dpd_max_12m,
    cast(months_overdue_6m as integer) as months_overdue_6m,
    cast(months_overdue_12m as integer) as months_overdue_12m,
    cast(months_dpd30_6m as integer) as months_dpd30_6m,
    months_since_overdue,
    cast(overdue_amount as numeric(18, 2)) as overdue_amount_now,
    repayment_state as repayment_state_m0,
    {% for lag in range(1, 6) %}
    repayment_state_m{{ lag }},
    {% endfor %}
    cast(balance as numeric(18, 2)) as balance_m0,
    {% for lag in range(1, 6) %}
    cast(balance_m{{ lag }} as numeric(18, 2)) as balance_m{{ lag }},
    {% endfor %}
    cast(paid as numeric(18, 2)) as paid_m0,
    {% for lag in range(1, 6) %}
    cast(paid_m{{ lag }} as numeric(18, 2)) as paid_m{{ lag }},
    {% endfor %}
    cast(paid_on_base / nullif(greatest(payment_base, 0), 0) as double precision) as payment_ratio_1m,
    cast(paid_on_base_3m / nullif(greatest(payment_base_3m, 0), 0) as double precision) as payment_ratio_3m,
    cast(paid_on_base_6m / nullif(greatest(payment_base_6m, 0), 0) as double precision) as payment_ratio_6m,
    cast(paid_3m / nullif(greatest(balance_3m, 0), 0) as double precision) as paid_to_balance_3m,
    cast(paid_avg_3m as double precision) as paid_avg_3m,
    cast(paid_avg_6m as double precision) as paid_avg_6m,
    cast(paid_max_6m as numeric(18, 2)) as paid_max_6m,
    cast(paid_min_6m as numeric(18, 2)) as paid_min_6m,
    cast(balance - balance_m3 as numeric(18, 2)) as balance_change_3m,
    cast(balance - balance_m5 as numeric(18, 2)) as balance_change_5m,
    (utilisation_avg_3m - utilisation_avg_before_3m) / 3 as balance_to_limit_trend_6m,
    cast(products_held as integer) as products_held,
    newest_account_months
from observed
