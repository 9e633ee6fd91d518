{#
Recommended limits of the day (domain.md#limit): the least of all four caps, rounded down, then held back where a rise is
not allowed; each with what changed since the recommendation before, in words.
-#}
with ceilings as (
    select
        *,
        floor(least(before_group, cap_group) / cast(rule ->> 'rounding' as numeric))
        * cast(rule ->> 'rounding' as numeric) as ceiling,
        case
            when reduction > 0 and customer_limit > 0
                then greatest(current_limit - trunc(reduction * current_limit / customer_limit, 2), 0)
        end as reduced_to,
        not is_closed_end
        and not with_default
        and open_red = 0
        and rule -> 'rise' -> 'best_grades' ? grade
        and mob >= cast(rule #>> '{rise,min_mob}' as integer)
        and worst_dpd_12m <= cast(rule #>> '{rise,max_worst_dpd_12m}' as integer)
        and current_limit > 0
        and exposure / current_limit >= cast(rule #>> '{rise,min_utilisation}' as numeric) as may_rise,
        open_red = 0
        and not with_default
        and not is_suspended
        and reduction = 0
        and rule #> '{terms,best_grades}' ? grade
        and mob >= cast(rule #>> '{terms,min_mob}' as integer)
        and worst_dpd_12m <= cast(rule #>> '{terms,max_worst_dpd_12m}' as integer) as may_extend,
        least(
            current_terms + cast(rule #>> array['terms', 'max_step', product_type] as integer),
            cast(rule #>> array['terms', 'most', product_type] as integer)
        ) as longer_terms,
        floor(
            current_limit * (1 + cast(rule #>> '{rise,max_step}' as numeric)) / cast(rule ->> 'rounding' as numeric)
        ) * cast(rule ->> 'rounding' as numeric) as step_ceiling
    from {{ ref('limit_cap') }}
),

recommended as (
    select
        *,
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
        *,
        bool_or(coalesce(recommended_limit < current_limit, false)) over (partition by customer_id) as is_lowered
    from recommended
),

settled as (
    select
        *,
        case
            when may_extend and not is_lowered and longer_terms > current_terms then longer_terms
            else current_terms
        end as recommended_terms,
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
        end as binding_cap
    from lowered
),

fresh as (
    select
        customer_id,
        product_id,
        cast(current_limit as numeric(18, 2)) as current_limit,
        cast(recommended_limit as numeric(18, 2)) as recommended_limit,
        cast(cap_policy as numeric(18, 2)) as cap_policy,
        cast(cap_capacity as numeric(18, 2)) as cap_capacity,
        cast(cap_group as numeric(18, 2)) as cap_group,
        cast(cap_concentration as numeric(18, 2)) as cap_concentration,
        binding_cap,
        cast(exposure as numeric(18, 2)) as exposure,
        cast(exposure / nullif(current_limit, 0) as double precision) as utilisation,
        cast(greatest(exposure - current_limit, 0) as numeric(18, 2)) as excess,
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
            'open_red', open_red, 'in_default', in_default, 'with_default', with_default,
            'is_suspended', is_suspended, 'reduction', reduction, 'is_lowered', is_lowered,
            'customer_limit', customer_limit, 'mob', mob, 'worst_dpd_12m', worst_dpd_12m
        ) as inputs
    from settled
),

earlier_day as (
    select max(as_of_date) as as_of_date
    from {{ source('actions', 'credit_limits') }}
    where
        book = {{ book() }}
        and as_of_date < {{ as_of() }}
),

earlier as (
    select kept.*
    from {{ source('actions', 'credit_limits') }} as kept
    inner join earlier_day on kept.as_of_date = earlier_day.as_of_date
    where kept.book = {{ book() }}
),

bounds (binding_cap, zh, en) as (
    values
    {% for binding_cap, words in var('limit_bounds').items() %}
    ({{ text_literal(binding_cap) }}, {{ text_literal(words.zh) }}, {{ text_literal(words.en) }}){{ ',' if not loop.last }}
    {% endfor %}
),

compared as (
    select
        fresh.*,
        earlier.customer_id is null as is_first,
        earlier.recommended_limit as limit_before,
        earlier.recommended_terms as terms_before,
        fresh.inputs ->> 'grade' as grade,
        earlier.inputs ->> 'grade' as grade_before,
        fresh.inputs ->> 'open_red' as open_red,
        earlier.inputs ->> 'open_red' as open_red_before,
        earlier.current_limit as current_before,
        earlier.cap_capacity as capacity_before,
        earlier.policy_version as policy_before,
        {{ text_literal(var('policy').version) }} as policy_version,
        bounds.zh as bound_zh,
        bounds.en as bound_en
    from fresh
    left join bounds on fresh.binding_cap = bounds.binding_cap
    left join earlier
        on
            fresh.customer_id = earlier.customer_id
            and fresh.product_id = earlier.product_id
),

moved as (
    select
        compared.customer_id,
        compared.product_id,
        string_agg(format('%s %s to %s', move.en, move.before, move.now), '; ' order by move.place) as en,
        string_agg(format(move.zh, move.before, move.now), '；' order by move.place) as zh
    from compared
    cross join lateral (
        values
        (1, compared.grade_before <> compared.grade, 'grade', '等级%s变为%s', compared.grade_before, compared.grade),
        (2, compared.open_red_before <> compared.open_red, 'red warnings', '红色预警%s项变为%s项', compared.open_red_before, compared.open_red),
        (
            3, compared.current_before <> compared.current_limit, 'limit in force', '生效额度%s变为%s',
            {{ shown('compared.current_before') }}, {{ shown('compared.current_limit') }}
        ),
        (
            4, compared.capacity_before <> compared.cap_capacity, 'capacity', '还款能力%s变为%s',
            {{ shown('compared.capacity_before') }}, {{ shown('compared.cap_capacity') }}
        ),
        (5, compared.policy_before <> compared.policy_version, 'policy', '政策%s变为%s', compared.policy_before, compared.policy_version)
    ) as move (place, is_so, en, zh, before, now)
    where move.is_so
    group by compared.customer_id, compared.product_id
),

worded as (
    select
        compared.*,
        concat_ws('; ', compared.bound_en, moved.en) as why_en,
        concat_ws('；', compared.bound_zh, moved.zh) as why_zh,
        case
            when compared.terms_before <> compared.recommended_terms
                then format('terms %s to %s', compared.terms_before, compared.recommended_terms)
        end as terms_en,
        case
            when compared.terms_before <> compared.recommended_terms
                then format('期限由%s变为%s', compared.terms_before, compared.recommended_terms)
        end as terms_zh
    from compared
    left join moved
        on
            compared.customer_id = moved.customer_id
            and compared.product_id = moved.product_id
)

select
    {{ book() }} as book,
    customer_id,
    product_id,
    current_limit,
    recommended_limit,
    cap_policy,
    cap_capacity,
    cap_group,
    cap_concentration,
    binding_cap,
    exposure,
    utilisation,
    excess,
    case
        when is_first then 'first recommendation'
        when limit_before = recommended_limit then coalesce(terms_en, 'unchanged')
        else concat_ws(
            '; ',
            format(
                '%s from %s to %s, bound by %s',
                case when recommended_limit > limit_before then 'raised' else 'lowered' end,
                {{ shown('limit_before') }}, {{ shown('recommended_limit') }}, why_en
            ),
            terms_en
        )
    end as change_reason,
    case
        when is_first then '首次建议'
        when limit_before = recommended_limit then coalesce(terms_zh, '无变化')
        else concat_ws(
            '；',
            format(
                '由%s%s至%s，约束因素为%s',
                {{ shown('limit_before') }},
                case when recommended_limit > limit_before then '上调' else '下调' end,
                {{ shown('recommended_limit') }}, why_zh
            ),
            terms_zh
        )
    end as change_reason_zh,
    policy_version,
    inputs,
    current_terms,
    recommended_terms,
    adjustment
from worded
