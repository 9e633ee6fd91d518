{{ config(follows='facility', key='facility_id', indexed=['facility_id']) }}

with facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_id') }}
)

select
    {{ book() }} as book,
    facility_id,
    min(case when dpd > 30 or status = 'written_off' then mob end) as mob_30,
    min(case when dpd > 90 or status = 'written_off' then mob end) as mob_90
from facility_months
group by facility_id
having max(case when dpd > 30 or status = 'written_off' then 1 else 0 end) = 1
