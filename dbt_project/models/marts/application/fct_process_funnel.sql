with applications as (
    select *
    from {{ ref('fct_application') }}
    where book = {{ book() }}
),

{% for stage, follows in funnel_stages().items() %}
{{ stage }}_stage as (
    select
        applied_month as month,
        product_id,
        coalesce(channel, 'direct') as channel,
        '{{ stage }}' as stage,
        {{ loop.index }} as stage_no,
        {{ 'cast(null as text)' if follows is none else "'" ~ follows ~ "'" }} as follows,
        {% if follows is none %}
        cast(null as numeric) as hours
        {% else %}
        extract(epoch from {{ stage_time(stage) }} - {{ stage_time(follows) }}) / 3600 as hours
        {% endif %}
    from applications
    where {{ stage_time(stage) }} is not null
),

{% endfor %}
stages as (
    {% for stage in funnel_stages() %}
    select * from {{ stage }}_stage
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

summed as (
    select
        month,
        product_id,
        channel,
        stage,
        stage_no,
        follows,
        count(*) as applications,
        percentile_cont(0.5) within group (order by cast(hours as double precision)) as median_hours,
        percentile_cont(0.9) within group (order by cast(hours as double precision)) as p90_hours
    from stages
    group by month, product_id, channel, stage, stage_no, follows
),

-- Of what the lender does itself the stage that takes longest in the middle; the terms of payment are agreed.
ranked as (
    select
        *,
        row_number() over (
            partition by month, product_id, channel
            order by
                case when stage in ('first_due', 'first_collected') then null else median_hours end desc nulls last,
                stage_no
        ) as slowness
    from summed
)

select
    {{ book() }} as book,
    ranked.month,
    ranked.product_id,
    ranked.channel,
    ranked.stage,
    ranked.stage_no,
    ranked.applications,
    ranked.applications / cast(previous.applications as double precision) as conversion,
    ranked.median_hours,
    ranked.p90_hours,
    ranked.slowness <= 1 and ranked.median_hours is not null as is_slowest
from ranked
left join summed as previous
    on
        ranked.month = previous.month
        and ranked.product_id = previous.product_id
        and ranked.channel = previous.channel
        and ranked.follows = previous.stage
