with panel as (
    {{ open_panel() }}
),

-- Grade and default as the day's verdict says, with the reasons of the score that it rests on.
verdicts as (
    select
        verdict.customer_id,
        verdict.grade,
        verdict.in_default,
        verdict.facilities_in_default,
        verdict.default_reason,
        array[scored.reason_1, scored.reason_2, scored.reason_3, scored.reason_4] as reasons
    from {{ source('actions', 'customer_verdict') }} as verdict
    left join {{ source('scoring', 'customer_scores') }} as scored
        on
            scored.book = {{ book() }}
            and scored.as_of_date = {{ as_of() }}
            and verdict.customer_id = scored.customer_id
            and verdict.scorecard = scored.scorecard
    where
        verdict.book = {{ book() }}
        and verdict.as_of_date = {{ as_of() }}
),

past as (
    select
        customer_id,
        max(mob) as mob
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and month_end <= {{ panel_day() }}
        and month_end > {{ month_end_before(panel_day(), 12) }}
    group by customer_id
),

owed as (
    select
        panel.customer_id,
        max(positions.dpd) as dpd,
        max(panel.utilisation) as utilisation,
        max(positions.worst_dpd_12m) as worst_dpd,
        max(past.mob) as mob
    from panel
    inner join {{ ref('fct_customer_position') }} as positions
        on
            positions.book = {{ book() }}
            and panel.customer_id = positions.customer_id
    left join past on panel.customer_id = past.customer_id
    group by panel.customer_id
),

facts as (
    select
        owed.customer_id,
        owed.dpd,
        owed.utilisation,
        owed.worst_dpd,
        owed.mob,
        verdicts.grade,
        verdicts.in_default,
        verdicts.facilities_in_default,
        verdicts.default_reason,
        verdicts.reasons
    from owed
    left join verdicts on owed.customer_id = verdicts.customer_id
),

-- What a scorecard takes points off for, in a customer's words; a characteristic without any is not said.
themes (place, theme, pattern, hurts_zh, hurts_en, advice_zh, advice_en) as (
    values
    (1, 'past_due', null, '目前有逾期', 'past due now', '请尽快还清逾期金额，如有困难请联系我们商定还款安排。',
        'Pay what is past due soon; if that is hard, talk to us about a plan.'),
    (2, 'in_default', null, '被认定为违约', 'held to be in default', '请联系我们，商定后续安排。',
        'Talk to us about what can be done.'),
    (3, 'was_late', '^(dpd|months_overdue|months_dpd|months_since_overdue|overdue_(amount|balance|share)|repayment_state)',
        '过去有过逾期', 'late payments in the past', '请设置自动还款，连续按时还款将逐步改善信用状况。',
        'Set up automatic payment; months paid on time improve your standing.'),
    (4, 'use', '^(utilisation|balance_to_limit)', '额度使用偏高', 'high use of the limit',
        '请降低额度使用，或多还一部分欠款。', 'Use less of the limit, or pay back more of it.'),
    (5, 'small_payments', '^(paid|payment_ratio)', '每月还款较少', 'small payments a month',
        '有余力时请多还一些。', 'Pay back more than is due where you can.'),
    (6, 'late_elsewhere', '^(bureau_worst|months_since_worst|overdue_elsewhere|bureau_score)',
        '在其他机构的还款记录不佳', 'payment record at other lenders', '请同样按时偿还在其他机构的欠款。',
        'Pay on time at other lenders too.'),
    (7, 'applications', '^(inquiries|new_accounts|newest_account|applications_before)',
        '近期申请或新开账户较多', 'many recent applications or new accounts', '近期请少申请新的信贷。',
        'Apply for less new credit for a while.'),
    (8, 'owes_much', '^(balance|bureau_exposure|active_tradelines|bureau_utilisation|guarante|own_balance)',
        '总负债较多', 'much owed in all', '请控制总负债。', 'Keep what you owe in all within bounds.'),
    (9, 'records', '^(public_records|enforcement|tax_records|months_since_public)', '有公共记录', 'public records on file',
        '请尽快了结司法或税务事项。', 'Settle open court or tax matters.'),
    (10, 'invoices_late', '(dbt|late|beyond_terms|overdue_share|days_to_settle)', '货款支付偏晚', 'invoices paid late',
        '请在账期内付款。', 'Pay invoices within their terms.'),
    (11, 'accounts', '^(z[0-9]?_|debt_|interest_cover|cfo|receivable_days|sales_|net_margin|current_ratio|revenue|statement_)',
        '财务状况偏弱', 'weak financial position', '请及时提供最新财报，并与我们沟通经营情况。',
        'Send us your latest statements and talk to us about how business goes.'),
    (12, 'short_history', '^(months_on_book|oldest_tradeline|mob|history_months|months_registered)', '往来时间较短',
        'a short history', '保持往来，按时还款，信用将逐步积累。', 'Keep paying on time; a longer history helps.')
),

reasons as (
    select
        facts.customer_id,
        facts.dpd,
        themes.theme,
        row_number() over (partition by facts.customer_id, reason.name order by themes.place) as first_theme
    from facts
    cross join unnest(facts.reasons) as reason (name)
    inner join themes on reason.name ~ themes.pattern
),

found as (
    select
        customer_id,
        'past_due' as theme
    from facts
    where dpd > 0
    union distinct
    select
        customer_id,
        case default_reason when 'contagion_elsewhere' then 'late_elsewhere' else 'in_default' end as theme
    from facts
    where
        facilities_in_default > 0
        and dpd <= 90
    union distinct
    select
        customer_id,
        'was_late' as theme
    from facts
    where
        dpd = 0
        and worst_dpd > 0
    union distinct
    select
        customer_id,
        'use' as theme
    from facts
    where utilisation >= 0.9
    union distinct
    select
        customer_id,
        theme
    from reasons
    where
        first_theme <= 1
        and not (theme = 'was_late' and dpd > 0)
),

against as (
    select
        found.customer_id,
        string_agg(themes.hurts_zh, '；' order by themes.place) as hurts_zh,
        string_agg(themes.hurts_en, '; ' order by themes.place) as hurts_en,
        (array_agg(themes.advice_zh order by themes.place))[1:2] as advice_zh,
        (array_agg(themes.advice_en order by themes.place))[1:2] as advice_en
    from found
    inner join themes on found.theme = themes.theme
    group by found.customer_id
)

select
    {{ book() }} as book,
    facts.customer_id,
    case
        when facts.in_default or facts.dpd > 90 then 'poor'
        when facts.facilities_in_default > 0 then 'weak'
        when facts.dpd > 0 and facts.grade in ('1', '2', '3', '4', '5') then 'fair'
        when facts.grade in ('1', '2', '3') then 'excellent'
        when facts.grade in ('4', '5') then 'good'
        when facts.grade in ('6', '7') then 'fair'
        when facts.grade in ('8', '9', '10') then 'weak'
        when facts.dpd > 0 then 'weak'
        when facts.worst_dpd > 0 then 'fair'
        else 'good'
    end as band,
    concat_ws(
        '；',
        case when facts.worst_dpd = 0 then '近一年按时还款' end,
        case when facts.mob >= 24 then '往来时间较长' end,
        case when facts.utilisation < 0.5 then '额度使用适中' end
    ) as helps_zh,
    concat_ws(
        '; ',
        case when facts.worst_dpd = 0 then 'paid on time for a year' end,
        case when facts.mob >= 24 then 'a long relationship' end,
        case when facts.utilisation < 0.5 then 'moderate use of the limit' end
    ) as helps_en,
    coalesce(against.hurts_zh, '') as hurts_zh,
    coalesce(against.hurts_en, '') as hurts_en,
    coalesce(array_to_string(against.advice_zh, ''), '请继续保持按时还款。') as advice_zh,
    coalesce(array_to_string(against.advice_en, ' '), 'Keep paying on time.') as advice_en
from facts
left join against on facts.customer_id = against.customer_id
