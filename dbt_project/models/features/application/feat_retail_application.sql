with applications as (
    select *
    from {{ ref('feat_application') }}
    where
        book = {{ book() }}
        and customer_type = 'retail'
),

-- A customer is observed once a month, with the newest application of the month.
observed as (
    select
        *,
        {{ month_end('observation_date') }} as month_end,
        row_number() over (
            partition by customer_id, {{ month_end('observation_date') }}
            order by observation_date desc, application_id desc
        ) as newest
    from applications
)

select
    {{ book() }} as book,
    customer_id,
    month_end as observation_date,
    application_id,
    observation_date as applied_on,
    product_type,
    channel,
    requested_amount,
    term_months,
    applications_before_12m,
    monthly_income,
    months_registered,
    requested_to_income,
    instalment_to_income,
    bureau_hit,
    bureau_report_on,
    {% for name in bureau_columns() %}
    {{ name }},
    {% endfor %}
    bureau_exposure_to_income,
    own_facilities,
    own_balance,
    own_dpd_max_12m
from observed
where
    newest <= 1
    and month_end <= {{ as_of() }}
