with panel as (
    {{ open_panel() }}
),

limits as (
    select
        customer_id,
        sum(recommended_limit) as recommended_limit,
        sum(greatest(recommended_limit - exposure, 0)) filter (
            where not cast(inputs ->> 'is_closed_end' as boolean)
        ) as free,
        bool_or(binding_cap = 'suspension') as is_suspended,
        max(cast(inputs ->> 'open_red' as integer)) as open_red
    from {{ ref('credit_limits') }}
    where book = {{ book() }}
    group by customer_id
),

states as (
    select
        panel.customer_id,
        max(positions.dpd) as dpd,
        bool_or(verdicts.in_default) as is_default,
        bool_or(verdicts.facilities_in_default > 0) as with_default,
        max(verdicts.default_reason) as default_reason
    from panel
    inner join {{ ref('fct_customer_position') }} as positions
        on
            positions.book = {{ book() }}
            and panel.customer_id = positions.customer_id
    inner join {{ source('actions', 'customer_verdict') }} as verdicts
        on
            verdicts.book = {{ book() }}
            and verdicts.as_of_date = {{ as_of() }}
            and panel.customer_id = verdicts.customer_id
    group by panel.customer_id
),

-- What stands in the way, the first of these that does.
judged as (
    select
        limits.customer_id,
        coalesce(limits.free, 0) as free,
        states.default_reason,
        case
            when states.is_default then 'default'
            when limits.is_suspended then 'suspended'
            when limits.recommended_limit = 0 then 'no_limit'
            when states.with_default then 'with_default'
            when limits.open_red > 0 then 'red_warning'
            when states.dpd > 0 then 'past_due'
            when coalesce(limits.free, 0) <= 0 then 'used_up'
            else 'nothing'
        end as obstacle
    from limits
    inner join states on limits.customer_id = states.customer_id
)

select
    {{ book() }} as book,
    customer_id,
    case
        when obstacle in ('default', 'suspended', 'no_limit') then 'stopped'
        when obstacle = 'nothing' then 'cleared'
        else 'limited'
    end as status,
    cast(case when obstacle in ('nothing', 'used_up') then free else 0 end as numeric(18, 2)) as available_limit,
    case obstacle
        when 'default' then concat_ws('：', '客户违约', {{ reason_text('default_reason', 'zh') }})
        when 'suspended' then '授信已暂停'
        when 'no_limit' then '无建议额度'
        when 'with_default' then concat_ws('：', '部分授信违约', {{ reason_text('default_reason', 'zh') }})
        when 'red_warning' then '存在红色预警'
        when 'past_due' then '存在逾期'
        when 'used_up' then '无可用额度'
        else '可正常赊销或放款'
    end as reason_zh,
    case obstacle
        when 'default' then concat_ws(': ', 'Customer in default', {{ reason_text('default_reason', 'en') }})
        when 'suspended' then 'Credit is suspended'
        when 'no_limit' then 'No limit recommended'
        when 'with_default' then concat_ws(': ', 'A facility is in default', {{ reason_text('default_reason', 'en') }})
        when 'red_warning' then 'Red warning open'
        when 'past_due' then 'Past due'
        when 'used_up' then 'No limit free'
        else 'Free to sell or lend'
    end as reason_en
from judged
