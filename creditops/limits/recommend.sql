-- Recommended limits of one book and day (domain.md#limit), one row per customer and product held.
-- Parameters: book, as_of, panel_day (latest month end of the panel), rules (limit rules of the policy in force,
-- json), policy_version.
-- Step by step, so that each published figure can be worked out by hand:
--   preliminary = least(cap_policy, cap_capacity)
--   cap_concentration, cap_group = the customer's and the group's most, shared by preliminary limits
--   recommended = least of all four, rounded down, then held back where a rise is not allowed.
with rules as (
    select
        %(rules)s::jsonb as rule,
        (%(rules)s::jsonb ->> 'rounding')::numeric as rounding
),

open_panel as materialized (
    select month.*, coalesce(standing.is_default, month.is_default) as in_default
    from {marts}.fct_facility_month as month
    left join {marts}.fct_facility_standing as standing
        on standing.book = %(book)s and month.facility_id = standing.facility_id
    where month.book = %(book)s and month.month_end = %(panel_day)s and month.is_open
),

-- What may be drawn on; one that is closed with arrears has no limit, and what is owed on it counts.
panel as materialized (
    select * from open_panel where may_draw
),

-- Grade and default as the day's verdict on the customer says; a product of which a facility is in default has grade D.
verdicts as (
    select customer_id, grade, in_default, facilities_in_default > 0 as with_default
    from actions.customer_verdict
    where book = %(book)s and as_of_date = %(as_of)s
),

behaviour as (
    select
        month.customer_id,
        max(month.dpd) as worst_dpd_12m,
        max(month.mob) as mob
    from {marts}.fct_facility_month as month
    where
        month.book = %(book)s
        and month.month_end <= %(panel_day)s
        and month.month_end > ops.month_end_before(%(panel_day)s, 12)
    group by month.customer_id
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
    inner join {marts}.fct_facility_month as month
        on month.book = %(book)s and panel.facility_id = month.facility_id
    where
        month.month_end <= panel.month_end
        and month.month_end > ops.month_end_before(panel.month_end, 6)
    group by panel.facility_id, panel.customer_id, panel.product_id
),

-- What falls due in an ordinary month, per customer and product held.
monthly_dues as (
    select customer_id, product_id, round(sum(due / months), 2) as monthly_due
    from ordinary_months
    group by customer_id, product_id
),

earnings as (
    select distinct on (customer_id)
        customer_id,
        ebit_12m as ebit_yearly,
        period_end as statement_on
    from {marts}.fct_statement
    where book = %(book)s and published_on <= %(as_of)s and period_end <= %(as_of)s
    order by customer_id asc, period_end desc
),

red_warnings as (
    select customer_id, red as open_red
    from actions.open_warnings(%(book)s, %(as_of)s)
),

-- Credit sales of an ordinary month and terms, those of most invoices, in days.
invoices as (
    select
        held.customer_id,
        held.product_id,
        round(greatest(sum(invoice.amount_due / held.months), 0), 2) as monthly_sales,
        mode() within group (order by invoice.due_date - invoice.issued_on) filter (
            where invoice.amount_due > 0 and invoice.due_date > invoice.issued_on
        ) as terms
    from {marts}.fct_receivable as invoice
    inner join ordinary_months as held on invoice.facility_id = held.facility_id
    where
        invoice.book = %(book)s
        and invoice.issued_on <= %(panel_day)s
        and invoice.issued_on > ops.month_end_before(%(panel_day)s, 6)
    group by held.customer_id, held.product_id
),

-- Terms of loans: the longest, in months.
loan_terms as (
    select panel.customer_id, panel.product_id, max(application.term_months) as terms
    from panel
    inner join {marts}.fct_application as application
        on application.book = %(book)s and panel.facility_id = application.facility_id
    group by panel.customer_id, panel.product_id
),

-- Approved suspensions, and what approved reductions take off the customer's limits in all.
brakes as (
    select customer_id, is_suspended, reduction
    from actions.approved_limit_actions(%(book)s, %(as_of)s)
),

decided as (
    select distinct on (customer_id, product_id) customer_id, product_id, limit_after, terms_after
    from actions.limit_decisions
    where
        book = %(book)s and decision = 'approved'
        and valid_from <= %(as_of)s and (valid_to is null or valid_to >= %(as_of)s)
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
    inner join {marts}.dim_facility as facility
        on facility.book = %(book)s and panel.facility_id = facility.facility_id
    group by panel.customer_id, panel.product_id
),

book_total as (
    select sum(exposure) as exposure from held
),

inputs as (
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
        case when held.in_default then %(default_grade)s else coalesce(verdicts.grade, 'ungraded') end as grade,
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
        coalesce(red_warnings.open_red, 0) as open_red,
        coalesce(brakes.is_suspended, false) as is_suspended,
        coalesce(brakes.reduction, 0) as reduction,
        sum(coalesce(decided.limit_after, held.facility_limit)) over (
            partition by held.customer_id
        ) as customer_limit
    from held
    left join {marts}.dim_customer as customer
        on customer.book = %(book)s and held.customer_id = customer.customer_id
    left join verdicts on held.customer_id = verdicts.customer_id
    left join behaviour on held.customer_id = behaviour.customer_id
    left join earnings on held.customer_id = earnings.customer_id
    left join monthly_dues as own
        on held.customer_id = own.customer_id and held.product_id = own.product_id
    left join invoices
        on held.customer_id = invoices.customer_id and held.product_id = invoices.product_id
    left join loan_terms
        on held.customer_id = loan_terms.customer_id and held.product_id = loan_terms.product_id
    left join red_warnings on held.customer_id = red_warnings.customer_id
    left join brakes on held.customer_id = brakes.customer_id
    left join decided on held.customer_id = decided.customer_id and held.product_id = decided.product_id
),

agreed as (
    select
        inputs.*,
        round(coalesce(inputs.current_terms / 30.0, (rules.rule ->> 'terms_months')::numeric), 4) as terms_in_months
    from inputs
    cross join rules
),

capped as (
    select
        inputs.*,
        round((rules.rule #>> array['caps', inputs.product_type, inputs.grade])::numeric, 2) as cap_policy,
        round(greatest(
            case
                when inputs.product_type = 'trade_credit'
                    then
                        inputs.monthly_sales * inputs.terms_in_months
                        * (rules.rule #>> array['grade_factor', inputs.grade])::numeric
                when inputs.customer_type = 'corporate'
                    then
                        inputs.ebit_yearly / (rules.rule ->> 'min_dscr')::numeric
                        * (rules.rule ->> 'years')::numeric
                else
                    inputs.monthly_income
                    * (rules.rule #>> array['income_multiple', inputs.product_type])::numeric
                    - inputs.other_debt_service
            end,
            0
        ), 2) as cap_capacity,
        round(book_total.exposure * (rules.rule ->> 'concentration_share')::numeric, 2) as customer_cap,
        (rules.rule ->> 'group_cap')::numeric as group_cap
    from agreed as inputs
    cross join rules
    cross join book_total
),

-- greatest() above turns an unknown capacity into 0; unknown stays unknown.
preliminary as (
    select
        capped.*,
        least(
            capped.cap_policy,
            case
                when
                    (capped.customer_type = 'corporate' and capped.product_type <> 'trade_credit'
                        and capped.ebit_yearly is null)
                    or (capped.customer_type is distinct from 'corporate'
                        and capped.product_type <> 'trade_credit' and capped.monthly_income is null)
                    then null
                else capped.cap_capacity
            end
        ) as preliminary,
        (capped.customer_type = 'corporate' and capped.product_type <> 'trade_credit'
            and capped.ebit_yearly is null)
        or (capped.customer_type is distinct from 'corporate'
            and capped.product_type <> 'trade_credit' and capped.monthly_income is null) as capacity_unknown
    from capped
),

by_customer as (
    select
        preliminary.*,
        sum(preliminary.preliminary) over (partition by preliminary.customer_id) as customer_sum
    from preliminary
),

concentrated as (
    select
        by_customer.*,
        case
            when customer_sum > customer_cap then trunc(customer_cap * preliminary / customer_sum, 2)
            else customer_cap
        end as cap_concentration
    from by_customer
),

by_group as (
    select
        concentrated.*,
        least(preliminary, cap_concentration) as before_group,
        sum(least(preliminary, cap_concentration)) over (partition by group_id) as group_sum
    from concentrated
),

grouped as (
    select
        by_group.*,
        case
            when group_id is null then null
            when group_sum > group_cap then trunc(group_cap * before_group / group_sum, 2)
            else group_cap
        end as cap_group
    from by_group
),

ceilings as (
    select
        grouped.*,
        floor(least(before_group, cap_group) / rules.rounding) * rules.rounding as ceiling,
        case
            when reduction > 0 and customer_limit > 0
                then greatest(current_limit - trunc(reduction * current_limit / customer_limit, 2), 0)
        end as reduced_to,
        not is_closed_end
        and not with_default
        and open_red = 0
        and rules.rule -> 'rise' -> 'best_grades' ? grade
        and mob >= (rules.rule #>> '{{rise,min_mob}}')::int
        and worst_dpd_12m <= (rules.rule #>> '{{rise,max_worst_dpd_12m}}')::int
        and current_limit > 0
        and exposure / current_limit >= (rules.rule #>> '{{rise,min_utilisation}}')::numeric as may_rise,
        open_red = 0
        and not with_default
        and not is_suspended
        and reduction = 0
        and rules.rule #> '{{terms,best_grades}}' ? grade
        and mob >= (rules.rule #>> '{{terms,min_mob}}')::int
        and worst_dpd_12m <= (rules.rule #>> '{{terms,max_worst_dpd_12m}}')::int as may_extend,
        least(
            current_terms + (rules.rule #>> array['terms', 'max_step', product_type])::int,
            (rules.rule #>> array['terms', 'most', product_type])::int
        ) as longer_terms,
        floor(current_limit * (1 + (rules.rule #>> '{{rise,max_step}}')::numeric) / rules.rounding)
        * rules.rounding as step_ceiling
    from grouped
    cross join rules
),

recommended as (
    select
        ceilings.*,
        case
            when is_suspended or in_default then 0
            else least(
                ceiling,
                reduced_to,
                case when may_rise then greatest(step_ceiling, current_limit) else current_limit end
            )
        end as recommended_limit
    from ceilings
),

-- No longer terms where a limit of the customer is lowered.
lowered as (
    select
        recommended.*,
        bool_or(coalesce(recommended_limit < current_limit, false)) over (partition by customer_id) as is_lowered
    from recommended
),

final as (
    select
        lowered.*,
        case
            when may_extend and not is_lowered and longer_terms > current_terms then longer_terms
            else current_terms
        end as recommended_terms
    from lowered
)

select
    customer_id,
    product_id,
    current_limit,
    recommended_limit,
    cap_policy,
    case when not capacity_unknown then cap_capacity end as cap_capacity,
    cap_group,
    cap_concentration,
    case
        when in_default then 'default'
        when is_suspended then 'suspension'
        when recommended_limit = reduced_to and recommended_limit < ceiling then 'reduction'
        when recommended_limit < ceiling and may_rise then 'rise_step'
        when recommended_limit < ceiling and open_red > 0 then 'red_warning'
        when recommended_limit < ceiling then 'no_rise'
        when cap_policy = preliminary and preliminary = least(before_group, cap_group) then 'policy'
        when preliminary = least(before_group, cap_group) then 'capacity'
        when cap_group < before_group then 'group'
        else 'concentration'
    end as binding_cap,
    exposure,
    (exposure / nullif(current_limit, 0))::double precision as utilisation,
    greatest(exposure - current_limit, 0) as excess,
    current_terms,
    recommended_terms,
    case
        when recommended_limit > current_limit and recommended_terms > current_terms
            then 'limit_rise_and_longer_terms'
        when recommended_limit > current_limit then 'limit_rise'
        when recommended_terms > current_terms then 'longer_terms'
    end as adjustment,
    jsonb_build_object(
        'product_type', product_type, 'customer_type', customer_type, 'grade', grade,
        'is_closed_end', is_closed_end, 'facility_limit', facility_limit, 'monthly_income', monthly_income,
        'other_debt_service', other_debt_service, 'monthly_sales', monthly_sales,
        'terms_in_months', terms_in_months,
        'ebit_yearly', ebit_yearly, 'statement_on', statement_on, 'customer_cap', customer_cap,
        'customer_sum', customer_sum, 'group_id', group_id, 'group_cap', group_cap, 'group_sum', group_sum,
        'open_red', open_red, 'in_default', in_default, 'with_default', with_default, 'is_suspended', is_suspended, 'reduction', reduction,
        'is_lowered', is_lowered,
        'customer_limit', customer_limit, 'mob', mob, 'worst_dpd_12m', worst_dpd_12m
    ) as inputs
from final
