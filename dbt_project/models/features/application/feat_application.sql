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

-- The customer's own twelve months here before the application, as known then, of any facility, gone or not.
own_months as (
    select
        applications.application_id,
        applications.last_month_end,
        facility_months.month_end,
        facility_months.status,
        facility_months.balance,
        facility_months.dpd
    from applications
    inner join facility_months
        on
            applications.customer_id = facility_months.customer_id
            and applications.last_month_end >= facility_months.month_end
            and {{ month_index('applications.last_month_end') }} - {{ month_index('facility_months.month_end') }} < 12
    left join restated
        on
            facility_months.facility_id = restated.facility_id
            and applications.last_month_end = restated.observation_date
    where restated.facility_id is null
    union all
    select
        applications.application_id,
        applications.last_month_end,
        known_then.month_end,
        known_then.status,
        known_then.balance,
        known_then.dpd
    from applications
    inner join known_then
        on
            applications.customer_id = known_then.customer_id
            and applications.last_month_end = known_then.observation_date
            and {{ month_index('applications.last_month_end') }} - {{ month_index('known_then.month_end') }} < 12
),

-- A write-off counts as over 90 days past due (domain.md#ever-late).
own as (
    select
        application_id,
        count(case when month_end = last_month_end and {{ may_draw('status') }} then 1 end)
            as active_facilities,
        sum(case when month_end = last_month_end then balance end) as balance_total,
        max(case when status = 'written_off' then greatest(dpd, 91) else dpd end) as dpd_max_12m
    from own_months
    group by application_id
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
    cast(coalesce(own.active_facilities, 0) as integer) as own_facilities,
    cast(own.balance_total as numeric(18, 2)) as own_balance,
    own.dpd_max_12m as own_dpd_max_12m,
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
left join own on applications.application_id = own.application_id
left join financials
    on
        applications.customer_id = financials.customer_id
        and applications.last_month_end = financials.observation_date
