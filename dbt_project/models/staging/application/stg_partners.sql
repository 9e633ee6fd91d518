with versions as (
    {{ known_versions(source('raw', 'partners'), ['partner_id', 'effective_date']) }}
),

latest as (
    select
        partner_id,
        name,
        channel,
        effective_date,
        row_number() over (partition by partner_id order by effective_date desc) as newest
    from versions
    where
        is_latest
        and effective_date <= {{ as_of() }}
)

select *
from latest
where newest <= 1
