{{ config(follows='facility', key='facility_id', indexed=['facility_id']) }}

with facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_id') }}
),

-- Written off and in default count as over 90 days, whatever the days are (domain.md#ever-late).
marked as (
    select
        facility_id,
        mob,
        dpd > 90 or status = 'written_off' or is_default as is_over_90,
        dpd > 30 or status = 'written_off' or is_default as is_over_30
    from facility_months
)

select
    {{ book() }} as book,
    facility_id,
    min(case when is_over_30 then mob end) as mob_30,
    min(case when is_over_90 then mob end) as mob_90
from marked
where is_over_30
group by facility_id
