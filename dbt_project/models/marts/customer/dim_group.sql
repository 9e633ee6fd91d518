{% set most_levels = 40 %}
with recursive groups as (
    select * from {{ ref('stg_groups') }}
),

-- Each group with every group above it, level by level.
climbed as (
    select
        group_id,
        group_id as above_group_id,
        0 as level
    from groups
    union all
    select
        climbed.group_id,
        groups.parent_group_id as above_group_id,
        climbed.level + 1 as level
    from climbed
    inner join groups on climbed.above_group_id = groups.group_id
    where
        groups.parent_group_id is not null
        and climbed.level < {{ most_levels }}
),

highest as (
    select
        *,
        max(level) over (partition by group_id) as levels
    from climbed
),

-- Of groups that name each other as parents the first is the top.
tops as (
    select
        group_id,
        min({{ text_order('above_group_id') }}) as top_group_id,
        max(levels) as levels
    from highest
    where
        level = levels
        or (levels = {{ most_levels }} and level > {{ most_levels // 2 }})
    group by group_id
)

select
    {{ book() }} as book,
    groups.group_id,
    groups.name,
    groups.parent_group_id,
    tops.top_group_id,
    cast(tops.levels as integer) as levels
from groups
inner join tops on groups.group_id = tops.group_id
