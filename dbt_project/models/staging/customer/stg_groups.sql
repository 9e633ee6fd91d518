with versions as (
    {{ known_versions(source('raw', 'groups'), ['group_id', 'effective_date']) }}
),

latest as (
    select
        group_id,
        name,
        parent_group_id,
        effective_date,
        row_number() over (partition by group_id order by effective_date desc) as newest
    from versions
    where
        is_latest
        and effective_date <= {{ as_of() }}
)

select *
from latest
where newest <= 1
