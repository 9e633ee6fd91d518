{{ config(materialized='ephemeral', contract={'enforced': false}) }}

{#
Step by step, so that each published figure can be worked out by hand:
  preliminary = least(cap_policy, cap_capacity)
  cap_concentration, cap_group = the customer's and the group's most, shared by preliminary limits
-#}
with rules as (
    select cast({{ text_literal(tojson(var('policy').limits)) }} as jsonb) as rule
),

agreed as (
    select
        basis.*,
        rules.rule,
        round(coalesce(basis.current_terms / 30.0, cast(rules.rule ->> 'terms_months' as numeric)), 4)
            as terms_in_months
    from {{ ref('limit_basis') }} as basis
    cross join rules
),

-- What is not known of a customer bounds nothing.
able as (
    select
        *,
        case
            when product_type = 'trade_credit'
                then monthly_sales * terms_in_months * cast(rule #>> array['grade_factor', grade] as numeric)
            when customer_type = 'corporate'
                then ebit_yearly / cast(rule ->> 'min_dscr' as numeric) * cast(rule ->> 'years' as numeric)
            when monthly_income is not null
                then
                    monthly_income * cast(rule #>> array['income_multiple', product_type] as numeric)
                    - other_debt_service
        end as capacity
    from agreed
),

capped as (
    select
        *,
        round(cast(rule #>> array['caps', product_type, grade] as numeric), 2) as cap_policy,
        case when capacity is not null then round(greatest(capacity, 0), 2) end as cap_capacity,
        round(book_exposure * cast(rule ->> 'concentration_share' as numeric), 2) as customer_cap,
        cast(rule ->> 'group_cap' as numeric) as group_cap
    from able
),

preliminary as (
    select
        *,
        least(cap_policy, cap_capacity) as preliminary
    from capped
),

by_customer as (
    select
        *,
        sum(preliminary) over (partition by customer_id) as customer_sum
    from preliminary
),

concentrated as (
    select
        *,
        case
            when customer_sum > customer_cap then trunc(customer_cap * preliminary / customer_sum, 2)
            else customer_cap
        end as cap_concentration
    from by_customer
),

by_group as (
    select
        *,
        least(preliminary, cap_concentration) as before_group,
        sum(least(preliminary, cap_concentration)) over (partition by group_id) as group_sum
    from concentrated
)

select
    *,
    case
        when group_id is null then null
        when group_sum > group_cap then trunc(group_cap * before_group / group_sum, 2)
        else group_cap
    end as cap_group
from by_group
