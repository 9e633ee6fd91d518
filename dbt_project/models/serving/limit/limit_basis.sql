{{ config(materialized='ephemeral', contract={'enforced': false}) }}

with month_end_panel as (
    {{ open_panel() }}
),

open_panel as materialized (
    select
        month.*,
        coalesce(standing.is_default, month.is_default) as in_default
    from month_end_panel as month
    left join {{ ref('fct_facility_standing') }} as standing
        on
            standing.book = {{ book() }}
            and month.facility_id = standing.facility_id
),

-- What may be drawn on; one that is closed with arrears has no limit, and what is owed on it counts.
panel as materialized (
    select *
    from open_panel
    where may_draw
),

-- Grade and default as the day's verdict on the customer says.
verdicts as (
    select
        customer_id,
        grade,
        in_default,
        facilities_in_default > 0 as with_default
    from {{ source('actions', 'customer_verdict') }}
    where
        book = {{ book() }}
        and as_of_date = {{ as_of() }}
),

behaviour as (
    select
        customer_id,
        max(dpd) as worst_dpd_12m,
        max(mob) as mob
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and month_end <= {{ panel_day() }}
        and month_end > {{ month_end_before(panel_day(), 12) }}
    group by customer_id
),

-- The last six months of each facility held, as many as it existed (domain.md#window).
ordinary_months as (
    select
        panel.facility_id,
        panel.customer_id,
        panel.product_id,
        count(*) as months,
        greatest(sum(month.amount_due), 0) as due
    from panel
    inner join {{ ref('fct_facility_month') }} as month
        on
            month.book = {{ book() }}
            and panel.facility_id = month.facility_id
    where
        month.month_end <= panel.month_end
        and month.month_end > {{ month_end_before('panel.month_end', 6) }}
    group by panel.facility_id, panel.customer_id, panel.product_id
),

-- What falls due in an ordinary month, per customer and product held.
monthly_dues as (
    select
        customer_id,
        product_id,
        round(sum(due / months), 2) as monthly_due
    from ordinary_months
    group by customer_id, product_id
),

earnings as (
    select distinct on (customer_id)
        customer_id,
        ebit_12m as ebit_yearly,
        period_end as statement_on
    from {{ ref('fct_statement') }}
    where
        book = {{ book() }}
        and published_on <= {{ as_of() }}
        and period_end <= {{ as_of() }}
    order by customer_id asc, period_end desc
),

-- Credit sales of an ordinary month and terms, those of most invoices, in days.
invoices as (
    select
        held.customer_id,
        held.product_id,
        round(greatest(sum(invoice.amount_due / held.months), 0), 2) as monthly_sales,
        mode() within group (order by {{ days_between('invoice.issued_on', 'invoice.due_date') }}) filter (
            where invoice.amount_due > 0 and invoice.due_date > invoice.issued_on
        ) as terms
    from {{ ref('fct_receivable') }} as invoice
    inner join ordinary_months as held on invoice.facility_id = held.facility_id
    where
        invoice.book = {{ book() }}
        and invoice.issued_on <= {{ panel_day() }}
        and invoice.issued_on > {{ month_end_before(panel_day(), 6) }}
    group by held.customer_id, held.product_id
),

-- Terms of loans: the longest, in months.
loan_terms as (
    select
        panel.customer_id,
        panel.product_id,
        max(application.term_months) as terms
    from panel
    inner join {{ ref('fct_application') }} as application
        on
            application.book = {{ book() }}
            and panel.facility_id = application.facility_id
    group by panel.customer_id, panel.product_id
),

decided as (
    select distinct on (customer_id, product_id)
        customer_id,
        product_id,
        limit_after,
        terms_after
    from {{ source('actions', 'limit_decisions') }}
    where
        book = {{ book() }}
        and decision = 'approved'
        and valid_from <= {{ as_of() }}
        and (valid_to is null or valid_to >= {{ as_of() }})
    order by customer_id asc, product_id asc, valid_from desc, decision_no desc
),

held as (
    select
        panel.customer_id,
        panel.product_id,
        min(panel.product_type) as product_type,
        sum(case when panel.may_draw then coalesce(panel.credit_limit, facility.principal) else 0 end)
            as facility_limit,
        bool_and(panel.credit_limit is null) as is_closed_end,
        bool_or(panel.in_default) as in_default,
        sum(greatest(panel.balance, 0)) as exposure
    from open_panel as panel
    inner join {{ ref('dim_facility') }} as facility
        on
            facility.book = {{ book() }}
            and panel.facility_id = facility.facility_id
    group by panel.customer_id, panel.product_id
)

select
    held.customer_id,
    held.product_id,
    held.product_type,
    held.is_closed_end,
    held.exposure,
    held.facility_limit,
    coalesce(decided.limit_after, held.facility_limit) as current_limit,
    coalesce(decided.terms_after, invoices.terms, loan_terms.terms) as current_terms,
    customer.customer_type,
    customer.top_group_id as group_id,
    customer.monthly_income,
    -- A product of which a facility is in default has grade D.
    case when held.in_default then {{ default_grade() }} else coalesce(verdicts.grade, 'ungraded') end as grade,
    held.in_default or coalesce(verdicts.in_default, false) as in_default,
    held.in_default or coalesce(verdicts.with_default, false) as with_default,
    behaviour.worst_dpd_12m,
    behaviour.mob,
    earnings.ebit_yearly,
    earnings.statement_on,
    coalesce(invoices.monthly_sales, 0) as monthly_sales,
    coalesce(
        sum(own.monthly_due) over (partition by held.customer_id) - coalesce(own.monthly_due, 0), 0
    ) as other_debt_service,
    coalesce(warnings.red, 0) as open_red,
    coalesce(brakes.is_suspended, false) as is_suspended,
    coalesce(brakes.reduction, 0) as reduction,
    sum(coalesce(decided.limit_after, held.facility_limit)) over (
        partition by held.customer_id
    ) as customer_limit,
    sum(held.exposure) over () as book_exposure
from held
left join {{ ref('dim_customer') }} as customer
    on
        customer.book = {{ book() }}
        and held.customer_id = customer.customer_id
left join verdicts on held.customer_id = verdicts.customer_id
left join behaviour on held.customer_id = behaviour.customer_id
left join earnings on held.customer_id = earnings.customer_id
left join monthly_dues as own
    on
        held.customer_id = own.customer_id
        and held.product_id = own.product_id
left join invoices
    on
        held.customer_id = invoices.customer_id
        and held.product_id = invoices.product_id
left join loan_terms
    on
        held.customer_id = loan_terms.customer_id
        and held.product_id = loan_terms.product_id
left join {{ open_warnings() }} as warnings on held.customer_id = warnings.customer_id
left join {{ limit_actions() }} as brakes on held.customer_id = brakes.customer_id
left join decided
    on
        held.customer_id = decided.customer_id
        and held.product_id = decided.product_id
