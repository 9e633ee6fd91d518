with panel as (
    {{ open_panel() }}
),

verdicts as (
    select *
    from {{ source('actions', 'customer_verdict') }}
    where
        book = {{ book() }}
        and as_of_date = {{ as_of() }}
),

held as (
    select customer_id, sum(greatest(balance, 0)) as exposure, sum(overdue_amount) as overdue, max(dpd) as dpd,
        max(dpd_undisputed) as dpd_undisputed, sum(credit_limit) as limit_total,
        cast(sum(balance) filter (where credit_limit > 0) / nullif(sum(credit_limit), 0) as double precision)
            as utilisation,
        (array_agg(product_type order by balance desc, facility_id))[1] as main_product,
        jsonb_agg(jsonb_build_object(
            'facility_id', facility_id, 'product_id', product_id, 'product_type', product_type, 'opened_on', opened_on,
            'balance', balance, 'credit_limit', credit_limit, 'overdue_amount', overdue_amount, 'dpd', dpd,
            'bucket', bucket, 'class5', class5) order by balance desc, facility_id) as facilities
    from panel
    group by customer_id
),

months as (
    select month.customer_id, month.month_end, sum(month.balance) as balance, sum(month.amount_due) as amount_due,
        sum(month.amount_paid) as amount_paid, max(month.dpd) as dpd, sum(month.overdue_amount) as overdue
    from {{ ref('fct_facility_month') }} as month
    where month.book = {{ book() }} and month.month_end <= {{ panel_day() }}
        and month.month_end > {{ month_end_before(panel_day(), 24) }}
    group by month.customer_id, month.month_end
),

history as (
    select customer_id, jsonb_agg(jsonb_build_object('month', month_end, 'balance', balance, 'due', amount_due,
        'paid', amount_paid, 'dpd', dpd, 'overdue', overdue) order by month_end) as months,
        jsonb_build_object(
            'months', count(*) filter (where recent), 'late', count(*) filter (where recent and dpd > 0),
            'worst_dpd', max(dpd) filter (where recent), 'due', sum(amount_due) filter (where recent),
            'paid', sum(amount_paid) filter (where recent)) as repayment
    from (
        select months.*, months.month_end > {{ month_end_before(panel_day(), 12) }} as recent
        from months
    ) as dated
    group by customer_id
),

ranked as (
    select statement.*, row_number() over (partition by customer_id order by period_end desc) as newest
    from {{ ref('fct_statement') }} as statement
    where book = {{ book() }} and published_on <= {{ as_of() }} and period_end <= {{ as_of() }}
),

peers as (
    select customer.industry, count(*) as firms,
        percentile_cont(0.5) within group (order by ranked.debt_to_assets) as debt_to_assets,
        percentile_cont(0.5) within group (order by ranked.net_margin) as net_margin,
        percentile_cont(0.5) within group (order by ranked.interest_cover) as interest_cover,
        percentile_cont(0.5) within group (order by ranked.current_ratio) as current_ratio,
        percentile_cont(0.5) within group (order by ranked.receivable_days) as receivable_days,
        percentile_cont(0.5) within group (order by ranked.sales_growth_yoy) as sales_growth_yoy,
        percentile_cont(0.5) within group (order by ranked.z2_score) as z2_score
    from ranked
    inner join {{ ref('dim_customer') }} as customer
        on
            customer.book = {{ book() }}
            and ranked.customer_id = customer.customer_id
    where ranked.newest <= 1
    group by customer.industry
),

statements as (
    select customer_id, jsonb_agg(jsonb_build_object('period_end', period_end, 'months', months, 'audited', audited,
        'opinion', opinion, 'revenue', revenue, 'net_profit', net_profit, 'ebit', ebit, 'total_assets', total_assets,
        'equity', equity, 'cfo', cfo, 'debt_to_assets', debt_to_assets, 'net_margin', net_margin,
        'interest_cover', interest_cover, 'current_ratio', current_ratio, 'receivable_days', receivable_days,
        'sales_growth_yoy', sales_growth_yoy, 'z2_score', z2_score, 'z2_zone', z2_zone) order by period_end) as periods
    from ranked
    where newest <= 8
    group by customer_id
),

bureau as (
    select distinct on (customer_id) customer_id, to_jsonb(newest) - 'book' - 'customer_id' as figures,
        observation_date
    from {{ ref('feat_bureau') }} as newest
    where book = {{ book() }} and observation_date <= {{ as_of() }} and bureau_hit
    order by customer_id asc, observation_date desc
),

bureau_before as (
    select distinct on (past.customer_id) past.customer_id, to_jsonb(past) - 'book' - 'customer_id' as figures
    from bureau
    inner join {{ ref('feat_bureau') }} as past on bureau.customer_id = past.customer_id
    where past.book = {{ book() }} and past.bureau_hit
        and past.observation_date <= {{ month_end_before('bureau.observation_date', 5) }}
    order by past.customer_id asc, past.observation_date desc
),

scores as (
    select customer_id, jsonb_agg(jsonb_build_object('scorecard', scorecard,
        'model_version', model_version, 'score', score, 'pd', pd, 'grade', grade, 'points_total', points_total,
        'observed_on', observed_on,
        'reasons_zh', jsonb_build_array(reason_1_zh, reason_2_zh, reason_3_zh, reason_4_zh),
        'reasons_en', jsonb_build_array(reason_1_en, reason_2_en, reason_3_en, reason_4_en))
        order by pd desc, scorecard) as scores
    from {{ source('scoring', 'customer_scores') }}
    where
        book = {{ book() }}
        and as_of_date = {{ as_of() }}
    group by customer_id
),

score_history as (
    select past.customer_id, jsonb_agg(jsonb_build_object('day', past.as_of_date, 'scorecard', past.scorecard,
        'score', past.score, 'pd', past.pd, 'grade', past.grade) order by past.scorecard, past.as_of_date) as days
    from {{ source('scoring', 'customer_scores') }} as past
    where past.book = {{ book() }} and past.as_of_date <= {{ as_of() }}
        and past.as_of_date > {{ month_end_before(as_of(), 24) }}
    group by past.customer_id
),

like_it as (
    select
        held.main_product,
        count(*) as customers,
        cast(avg(cast(held.dpd > 0 as integer)) as double precision) as late_share,
        cast(percentile_cont(0.5) within group (order by held.exposure) as numeric(18, 2)) as exposure,
        percentile_cont(0.5) within group (order by held.utilisation) as utilisation,
        cast(avg(cast(verdicts.pd as numeric)) as double precision) as pd
    from held
    left join verdicts on held.customer_id = verdicts.customer_id
    group by held.main_product
),

trade_peers as (
    select count(*) as customers, percentile_cont(0.5) within group (order by dso) as dso,
        percentile_cont(0.5) within group (order by add_days) as add_days,
        percentile_cont(0.5) within group (order by dbt_days) as dbt_days,
        percentile_cont(0.5) within group (order by cei) as cei
    from {{ ref('fct_receivables_ageing') }}
    where book = {{ book() }}
),

trade as (
    select ageing.customer_id, to_jsonb(ageing) - 'book' - 'customer_id' as ageing, to_jsonb(trade_peers) as medians
    from {{ ref('fct_receivables_ageing') }} as ageing
    cross join trade_peers
    where ageing.book = {{ book() }}
),

related as (
    select customer.top_group_id as group_id, count(*) as members, sum(held.exposure) as exposure, sum(held.overdue) as overdue,
        count(*) filter (where verdicts.in_default) as in_default
    from held
    inner join {{ ref('dim_customer') }} as customer
        on
            customer.book = {{ book() }}
            and held.customer_id = customer.customer_id
    left join verdicts on held.customer_id = verdicts.customer_id
    where customer.top_group_id is not null
    group by customer.top_group_id
),

open_warnings as (
    select customer_id, count(*) filter (where severity = 'red') as red,
        jsonb_agg(jsonb_build_object('warning_id', warning_id, 'rule_id', rule_id, 'severity', severity,
            'status', status, 'raised_on', raised_on, 'first_seen_on', first_seen_on, 'last_seen_on', last_seen_on,
            'after_default', after_default, 'text_zh', text_zh,
            'text_en', text_en, 'recommended_response', recommended_response)
            order by array_position(array['red', 'orange', 'yellow'], severity), raised_on, warning_id) as warnings
    from {{ source('actions', 'warning_snapshot') }}
    where book = {{ book() }} and as_of_date = {{ as_of() }} and status in ('raised', 'acknowledged', 'in_response')
    group by customer_id
),

responses as (
    select customer_id, jsonb_agg(jsonb_build_object('action_id', action_id, 'kind', kind, 'amount', amount,
        'status', status, 'proposed_on', proposed_on, 'decided_by', decided_by, 'reason', reason)
        order by proposed_on, action_id) as actions
    from {{ action_states() }}
    where status in ('proposed', 'approved')
    group by customer_id
),

limits as (
    select customer_id, sum(current_limit) as current_limit, sum(recommended_limit) as recommended_limit,
        bool_or(binding_cap = 'suspension') as suspended, bool_or(recommended_terms > current_terms) as longer_terms,
        sum(current_limit) filter (where recommended_limit < current_limit) as lowered_from,
        sum(recommended_limit) filter (where recommended_limit < current_limit) as lowered_to,
        sum(current_limit) filter (where recommended_limit > current_limit) as raised_from,
        sum(recommended_limit) filter (where recommended_limit > current_limit) as raised_to,
        jsonb_agg(jsonb_build_object('product_id', product_id, 'current_limit', current_limit,
            'recommended_limit', recommended_limit, 'cap_policy', cap_policy, 'cap_capacity', cap_capacity,
            'cap_concentration', cap_concentration, 'cap_group', cap_group, 'binding_cap', binding_cap,
            'exposure', exposure, 'excess', excess, 'current_terms', current_terms,
            'recommended_terms', recommended_terms, 'policy_version', policy_version, 'change_reason', change_reason,
            'change_reason_zh', change_reason_zh, 'inputs', inputs) order by product_id) as limits
    from {{ ref('credit_limits') }}
    where book = {{ book() }}
    group by customer_id
),

judged as (
    select held.*, limits.limits, limits.suspended, limits.lowered_from, limits.lowered_to, limits.raised_from,
        limits.raised_to, open_warnings.warnings, verdicts.in_default, verdicts.default_on, verdicts.default_reason,
        verdicts.class5, verdicts.class_reason, verdicts.pd, verdicts.grade, verdicts.expected_loss,
        verdicts.facilities_in_default,
        case
            when (verdicts.in_default or held.dpd_undisputed > 90) and held.overdue > 0 then 'collect'
            when verdicts.in_default or limits.suspended or limits.recommended_limit = 0 then 'stop'
            when limits.lowered_to is not null then 'reduce'
            when open_warnings.red > 0 then 'watch'
            when limits.raised_to is not null or limits.longer_terms then 'increase'
            else 'maintain'
        end as recommendation,
        coalesce(open_warnings.red, 0) as red
    from held
    left join verdicts on held.customer_id = verdicts.customer_id
    left join limits on held.customer_id = limits.customer_id
    left join open_warnings on held.customer_id = open_warnings.customer_id
),

said as (
    select judged.*,
        {{ shown('coalesce(lowered_from, raised_from)') }} as limit_now,
        {{ shown('coalesce(lowered_to, raised_to)') }} as limit_next
    from judged
)

select
    {{ book() }} as book,
    said.customer_id,
    jsonb_build_object(
        'identity', jsonb_build_object('customer_type', customer.customer_type, 'industry', customer.industry,
            'region', customer.region, 'group_id', customer.group_id, 'registered_on', customer.registered_on,
            'employees', customer.employees, 'monthly_income', customer.monthly_income),
        'group', case when related.group_id is not null then to_jsonb(related) end,
        'exposure', jsonb_build_object('total', said.exposure, 'overdue', said.overdue, 'dpd', said.dpd,
            'class5', said.class5, 'class_reason', said.class_reason, 'in_default', said.in_default,
            'default_on', said.default_on, 'default_reason', said.default_reason, 'grade', said.grade,
            'default_reason_zh', {{ reason_text('said.default_reason', 'zh') }},
            'default_reason_en', {{ reason_text('said.default_reason', 'en') }},
            'class_reason_zh', {{ reason_text('said.class_reason', 'zh') }},
            'class_reason_en', {{ reason_text('said.class_reason', 'en') }}, 'worst_dpd_12m', position.worst_dpd_12m, 'limit_total', said.limit_total,
            'utilisation', said.utilisation, 'main_product', said.main_product, 'pd', said.pd,
            'loss_given_default', position.loss_given_default,
            'loss_in_default', position.loss_in_default,
            'facilities_in_default', said.facilities_in_default, 'expected_loss', said.expected_loss, 'facilities', said.facilities),
        'history', history.months, 'repayment', history.repayment,
        'like_it', to_jsonb(like_it), 'trade', trade.ageing, 'trade_peers', trade.medians,
        'statements', statements.periods, 'peers', case when peers.firms is not null then to_jsonb(peers) end,
        'bureau', bureau.figures, 'bureau_before', bureau_before.figures,
        'scores', scores.scores, 'score_history', score_history.days, 'warnings', said.warnings,
        'actions', responses.actions, 'limits', said.limits
    ) as assessment,
    said.recommendation,
    case said.recommendation
        when 'collect' then concat_ws('，',
            case when said.in_default then concat_ws('：', '客户违约',
                case when said.dpd <= 90 then {{ reason_text('said.default_reason', 'zh') }} end) end,
            case when said.dpd > 0 then format('逾期%s天', said.dpd) end, '转入催收')
        when 'stop' then concat_ws('：', '暂停授信', case
            when said.in_default then concat_ws('，', '客户违约', {{ reason_text('said.default_reason', 'zh') }})
            when said.suspended then '已批准暂停' else '建议额度为零' end)
        when 'reduce' then format('建议额度由%s下调至%s', said.limit_now, said.limit_next)
        when 'watch' then format('存在%s项红色预警，列入观察', said.red)
        when 'increase' then case when said.raised_to is not null then format('建议额度由%s上调至%s', said.limit_now, said.limit_next)
            else '优质客户，可延长期限' end
        else '维持现有授信'
    end as recommendation_reason_zh,
    case said.recommendation
        when 'collect' then concat_ws(', ',
            case when said.in_default then concat_ws(': ', 'In default',
                case when said.dpd <= 90 then {{ reason_text('said.default_reason', 'en') }} end) end,
            case when said.dpd > 0 then format('%s days past due', said.dpd) end, 'collect')
        when 'stop' then concat_ws(': ', 'Stop lending', case
            when said.in_default then concat_ws(', ', 'in default', {{ reason_text('said.default_reason', 'en') }})
            when said.suspended then 'a suspension is approved' else 'no limit is recommended' end)
        when 'reduce' then format('Recommended limit down from %s to %s', said.limit_now, said.limit_next)
        when 'watch' then format('%s red warning(s) open: watch', said.red)
        when 'increase' then case when said.raised_to is not null then format('Recommended limit up from %s to %s', said.limit_now, said.limit_next)
            else 'A good customer: longer terms are possible' end
        else 'Keep as it is'
    end as recommendation_reason_en
from said
left join {{ ref('dim_customer') }} as customer
    on
        customer.book = {{ book() }}
        and said.customer_id = customer.customer_id
left join {{ ref('fct_customer_position') }} as position
    on
        position.book = {{ book() }}
        and said.customer_id = position.customer_id
left join related on customer.top_group_id = related.group_id
left join history on said.customer_id = history.customer_id
left join like_it on said.main_product = like_it.main_product
left join trade on said.customer_id = trade.customer_id
left join statements on said.customer_id = statements.customer_id
left join peers
    on
        customer.industry = peers.industry
        and statements.customer_id is not null
left join bureau on said.customer_id = bureau.customer_id
left join bureau_before on said.customer_id = bureau_before.customer_id
left join scores on said.customer_id = scores.customer_id
left join score_history on said.customer_id = score_history.customer_id
left join responses on said.customer_id = responses.customer_id
