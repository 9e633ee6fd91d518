with facilities as (
    select *
    from {{ ref('int_facility_origin') }}
    where book = {{ book() }}
),

first_marks as (
    select *
    from {{ ref('fct_facility_mark') }}
    where book = {{ book() }}
),

-- Facilities alike in origin and in when they were first marked count as one.
originated as (
    select
        facilities.product_id,
        {{ month_end('facilities.opened_on') }} as origination_month,
        {{ month_index('facilities.opened_on') }} as month_no,
        first_marks.mob_30,
        first_marks.mob_90,
        count(*) as facilities,
        sum(facilities.original_amount) as original_amount
    from facilities
    left join first_marks on facilities.facility_id = first_marks.facility_id
    group by
        facilities.product_id,
        {{ month_end('facilities.opened_on') }},
        {{ month_index('facilities.opened_on') }},
        first_marks.mob_30,
        first_marks.mob_90
),

months as (
    select *
    from {{ month_ends('(select min(originated.origination_month) from originated)') }} as calendar
),

-- A facility that has ended keeps the worst it ever was.
summed as (
    select
        originated.origination_month,
        originated.product_id,
        months.month_index - originated.month_no as mob,
        cast(sum(originated.facilities) as bigint) as facilities,
        sum(originated.original_amount) as original_amount,
        sum(case when originated.mob_30 <= months.month_index - originated.month_no then originated.facilities else 0 end)
            as ever_30,
        sum(case when originated.mob_90 <= months.month_index - originated.month_no then originated.facilities else 0 end)
            as ever_90,
        sum(
            case
                when originated.mob_90 <= months.month_index - originated.month_no then originated.original_amount
                else 0
            end
        ) as ever_90_amount
    from originated
    inner join months on originated.origination_month <= months.month_end
    group by
        originated.origination_month,
        originated.product_id,
        months.month_index - originated.month_no
)

select
    {{ book() }} as book,
    origination_month,
    product_id,
    mob,
    facilities,
    cast(original_amount as numeric(18, 2)) as original_amount,
    cast(ever_30 / facilities as double precision) as ever_30_rate,
    cast(ever_90 / facilities as double precision) as ever_90_rate,
    cast(ever_90_amount / nullif(original_amount, 0) as double precision) as ever_90_amount_rate
from summed
