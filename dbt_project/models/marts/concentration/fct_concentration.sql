{% set dimensions = {
    'customer': 'positions.customer_id',
    'group': 'customers.top_group_id',
    'industry': 'customers.industry',
    'region': 'customers.region',
    'product': 'facilities.product_id',
    'partner': 'facilities.partner_id',
} %}
with positions as (
    select *
    from {{ ref('int_facility_delinquency') }}
    where
        book = {{ book() }}
        and balance > 0
),

facilities as (
    select *
    from {{ ref('dim_facility') }}
    where
        book = {{ book() }}
        and {{ is_open('status') }}
),

customers as (
    select *
    from {{ ref('dim_customer') }}
    where book = {{ book() }}
),

exposures as (
    select
        positions.balance,
        {% for dimension, member in dimensions.items() %}
        {{ member }} as {{ dimension }}_member{{ ',' if not loop.last }}
        {% endfor %}
    from positions
    inner join facilities on positions.facility_id = facilities.facility_id
    left join customers on positions.customer_id = customers.customer_id
),

-- What has no member of a dimension is a line of its own, without a share (domain.md#concentration).
members as (
    {% for dimension in dimensions %}
    select
        '{{ dimension }}' as dimension,
        {{ dimension }}_member as member,
        sum(balance) as exposure,
        case when {{ dimension }}_member is not null then sum(balance) end as counted
    from exposures
    group by {{ dimension }}_member
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

ranked as (
    select
        *,
        sum(counted) over (partition by dimension) as total,
        case
            when member is not null
                then row_number() over (
                    partition by dimension
                    order by counted desc nulls last, {{ text_order('member') }}
                )
        end as rank
    from members
)

select
    {{ book() }} as book,
    dimension,
    coalesce(member, 'none') as member,
    cast(exposure as numeric(18, 2)) as exposure,
    cast(counted / total as double precision) as share,
    cast(rank as integer) as rank,
    cast(sum(counted * counted) over (partition by dimension) / (total * total) as double precision) as hhi,
    cast(
        sum(case when rank <= 10 then counted end) over (partition by dimension) / total as double precision
    ) as top_10_share
from ranked
