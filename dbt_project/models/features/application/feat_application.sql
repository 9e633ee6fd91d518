with first_rows as (
    select
        *,
        row_number() over (partition by application_id order by stage_at, version_no) as first_row
    from {{ ref('stg_applications') }}
),

-- What was applied for as it was first delivered: no later stage or correction counts.
applications as (
    select
        application_id,
        customer_id,
        product_id,
        partner_id,
        applied_at,
        applied_on,
        {{ month_end_before('applied_on', 1) }} as last_month_end,
        requested_amount,
        term_months
    from first_rows
    where first_row <= 1
),

partners as (
    select * from {{ ref('stg_partners') }}
),

products as (
    select * from {{ ref('stg_products') }}
),

customers as (
    select * from {{ ref('stg_customer_versions') }}
),

reports as (
    select *
    from {{ ref('int_bureau_report') }}
    where book = {{ book() }}
),

behaviour as (
    select *
    from {{ ref('feat_retail_behaviour') }}
    where book = {{ book() }}
),

financials as (
    select *
    from {{ ref('feat_corporate_financial') }}
    where book = {{ book() }}
),

customer_rows as (
    select
        applications.application_id,
        customers.customer_type,
        customers.industry,
        customers.registered_on,
        customers.monthly_income,
        customers.employees,
        row_number() over (
            partition by applications.application_id
            order by customers.effective_date desc, customers.version_no desc
        ) as newest
    from applications
    inner join customers
        on
            applications.customer_id = customers.customer_id
            and applications.applied_on >= customers.effective_date
            and {{ known_at_end_of('customers', 'applications.applied_on') }}
),

known_reports as (
    select
        applications.application_id,
        reports.*,
        row_number() over (
            partition by applications.application_id order by reports.pulled_on desc, reports.report_id desc
        ) as newest
    from applications
    inner join reports
        on
            applications.customer_id = reports.customer_id
            and applications.applied_on >= reports.pulled_on
            and {{ days_between('reports.pulled_on', 'applications.applied_on') }} <= {{ var('bureau_report_max_age_days') }}
            and {{ known_at_end_of('reports', 'applications.applied_on') }}
),

earlier as (
    select
        application_id,
        count(*) over (
            partition by customer_id
            order by applied_on
            range between interval '1 year' preceding and interval '1 day' preceding
        ) as applications_before_12m
    from applications
)

select
    {{ book() }} as book,
    applications.application_id,
    applications.customer_id,
    applications.applied_on as observation_date,
    applications.product_id,
    products.product_type,
    applications.partner_id,
    partners.channel,
    customer_rows.customer_type,
    customer_rows.industry,
    applications.requested_amount,
    applications.term_months,
    cast(earlier.applications_before_12m as integer) as applications_before_12m,
    customer_rows.monthly_income,
    customer_rows.employees,
    {{ month_index('applications.applied_on') }} - {{ month_index('customer_rows.registered_on') }} as months_registered,
    {{ ratio('applications.requested_amount', 'customer_rows.monthly_income') }} as requested_to_income,
    {{ ratio('applications.requested_amount / nullif(applications.term_months, 0)', 'customer_rows.monthly_income') }}
        as instalment_to_income,
    coalesce(known_reports.hit, false) as bureau_hit,
    known_reports.pulled_on as bureau_report_on,
    {% for name in bureau_columns() %}
    case when known_reports.hit then known_reports.{{ name }} end as {{ name }},
    {% endfor %}
    case when known_reports.hit then {{ ratio('known_reports.bureau_exposure', 'customer_rows.monthly_income') }} end
        as bureau_exposure_to_income,
    coalesce(behaviour.active_facilities, 0) as own_facilities,
    behaviour.balance_total as own_balance,
    behaviour.dpd_max_12m as own_dpd_max_12m,
    financials.statement_age_months,
    financials.revenue,
    financials.debt_to_assets,
    financials.current_ratio,
    financials.interest_cover,
    financials.net_margin,
    financials.cfo_to_debt,
    financials.receivable_days,
    financials.sales_growth_yoy,
    financials.z2_score
from applications
inner join earlier on applications.application_id = earlier.application_id
left join partners on applications.partner_id = partners.partner_id
left join products on applications.product_id = products.product_id
left join customer_rows
    on
        applications.application_id = customer_rows.application_id
        and customer_rows.newest <= 1
left join known_reports
    on
        applications.application_id = known_reports.application_id
        and known_reports.newest <= 1
left join behaviour
    on
        applications.customer_id = behaviour.customer_id
        and applications.last_month_end = behaviour.observation_date
left join financials
    on
        applications.customer_id = financials.customer_id
        and applications.last_month_end = financials.observation_date
