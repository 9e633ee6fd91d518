{% set dimensions = {
    'customer': 'positions.customer_id',
    'group': 'coalesce(customers.group_id, positions.customer_id)',
    'industry': "coalesce(customers.industry, 'unknown')",
    'region': "coalesce(customers.region, 'unknown')",
    'product': 'facilities.product_id',
    'partner': "coalesce(facilities.partner_id, 'none')",
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
        and status in ('active', 'restructured')
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

members as (
    {% for dimension in dimensions %}
    select
        '{{ dimension }}' as dimension,
        {{ dimension }}_member as member,
        sum(balance) as exposure
    from exposures
    group by {{ dimension }}_member
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

ranked as (
    select
        *,
        sum(exposure) over (partition by dimension) as total,
        row_number() over (partition by dimension order by exposure desc, member) as rank
    from members
)

select
    {{ book() }} as book,
    dimension,
    member,
    cast(exposure as numeric(18, 2)) as exposure,
    cast(exposure / total as double precision) as share,
    cast(rank as integer) as rank,
    cast(sum(exposure * exposure) over (partition by dimension) / (total * total) as double precision) as hhi,
    cast(
        sum(case when rank <= 10 then exposure end) over (partition by dimension) / total as double precision
    ) as top_10_share
from ranked
