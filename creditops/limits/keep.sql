-- Keeps the recommendations of a day (recommend.sql goes in as the first part), each with what changed since the
-- recommendation before, in words: the figure, what binds now, and what moved.
-- Parameters: those of recommend.sql, and binding (names of what may bind, json).
insert into actions.credit_limits (
    book, as_of_date, customer_id, product_id, policy_version, current_limit, recommended_limit,
    cap_policy, cap_capacity, cap_group, cap_concentration, binding_cap, exposure, utilisation, excess,
    current_terms, recommended_terms, adjustment, change_reason, change_reason_zh, inputs
)
with fresh as ({query}),

earlier as (
    select *
    from actions.credit_limits
    where book = %(book)s and as_of_date = (
        select max(as_of_date) from actions.credit_limits where book = %(book)s and as_of_date < %(as_of)s
    )
),

changes as (
    select fresh.customer_id, fresh.product_id, earlier.customer_id is null as is_first,
        earlier.recommended_limit as limit_before,
        to_char(earlier.recommended_limit, 'FM999,999,999,999,990') as shown_before,
        to_char(fresh.recommended_limit, 'FM999,999,999,999,990') as shown_now,
        concat_ws('; ', %(binding)s::jsonb -> fresh.binding_cap ->> 'en', moved.en) as why_en,
        concat_ws('；', %(binding)s::jsonb -> fresh.binding_cap ->> 'zh', moved.zh) as why_zh,
        case when earlier.recommended_terms <> fresh.recommended_terms
            then format('terms %%s to %%s', earlier.recommended_terms, fresh.recommended_terms) end as terms_en,
        case when earlier.recommended_terms <> fresh.recommended_terms
            then format('期限由%%s变为%%s', earlier.recommended_terms, fresh.recommended_terms) end as terms_zh
    from fresh
    left join earlier using (customer_id, product_id)
    cross join lateral (
        select string_agg(each.en, '; ' order by each.place) as en,
            string_agg(each.zh, '；' order by each.place) as zh
        from (values
            (1, earlier.inputs ->> 'grade' <> fresh.inputs ->> 'grade',
                format('grade %%s to %%s', earlier.inputs ->> 'grade', fresh.inputs ->> 'grade'),
                format('等级%%s变为%%s', earlier.inputs ->> 'grade', fresh.inputs ->> 'grade')),
            (2, (earlier.inputs ->> 'open_red')::int <> (fresh.inputs ->> 'open_red')::int,
                format('red warnings %%s to %%s', earlier.inputs ->> 'open_red', fresh.inputs ->> 'open_red'),
                format('红色预警%%s项变为%%s项', earlier.inputs ->> 'open_red', fresh.inputs ->> 'open_red')),
            (3, earlier.current_limit <> fresh.current_limit,
                format('limit in force %%s to %%s', to_char(earlier.current_limit, 'FM999,999,999,999,990'), to_char(fresh.current_limit, 'FM999,999,999,999,990')),
                format('生效额度%%s变为%%s', to_char(earlier.current_limit, 'FM999,999,999,999,990'), to_char(fresh.current_limit, 'FM999,999,999,999,990'))),
            (4, earlier.cap_capacity <> fresh.cap_capacity,
                format('capacity %%s to %%s', to_char(earlier.cap_capacity, 'FM999,999,999,999,990'), to_char(fresh.cap_capacity, 'FM999,999,999,999,990')),
                format('还款能力%%s变为%%s', to_char(earlier.cap_capacity, 'FM999,999,999,999,990'), to_char(fresh.cap_capacity, 'FM999,999,999,999,990'))),
            (5, earlier.policy_version <> %(policy_version)s,
                format('policy %%s to %%s', earlier.policy_version, %(policy_version)s::text),
                format('政策%%s变为%%s', earlier.policy_version, %(policy_version)s::text))
        ) as each (place, is_so, en, zh)
        where each.is_so
    ) as moved
)

select
    %(book)s, %(as_of)s, fresh.customer_id, fresh.product_id, %(policy_version)s, fresh.current_limit,
    fresh.recommended_limit, fresh.cap_policy, fresh.cap_capacity, fresh.cap_group,
    fresh.cap_concentration, fresh.binding_cap, fresh.exposure, fresh.utilisation, fresh.excess,
    fresh.current_terms, fresh.recommended_terms, fresh.adjustment,
    case
        when is_first then 'first recommendation'
        when limit_before = fresh.recommended_limit then coalesce(terms_en, 'unchanged')
        else concat_ws('; ', format('%%s from %%s to %%s, bound by %%s',
            case when fresh.recommended_limit > limit_before then 'raised' else 'lowered' end,
            shown_before, shown_now, why_en), terms_en)
    end,
    case
        when is_first then '首次建议'
        when limit_before = fresh.recommended_limit then coalesce(terms_zh, '无变化')
        else concat_ws('；', format('由%%s%%s至%%s，约束因素为%%s', shown_before,
            case when fresh.recommended_limit > limit_before then '上调' else '下调' end, shown_now, why_zh), terms_zh)
    end,
    fresh.inputs
from fresh
inner join changes using (customer_id, product_id)
