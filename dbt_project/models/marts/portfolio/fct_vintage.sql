with facilities as (
    select *
    from {{ ref('dim_facility') }}
    where book = {{ book() }}
),

facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where book = {{ book() }}
),

-- The first month on book in which a facility was over 30 or over 90 days past due, or lost.
first_marks as (
    select
        facility_id,
        min(case when dpd > 30 or status = 'written_off' then mob end) as mob_30,
        min(case when dpd > 90 or status = 'written_off' then mob end) as mob_90
    from facility_months
    group by facility_id
),

originated as (
    select
        facilities.facility_id,
        facilities.product_id,
        {{ month_end('facilities.opened_on') }} as origination_month,
        {{ month_index('facilities.opened_on') }} as month_no,
        coalesce(facilities.principal, facilities.credit_limit, 0) as original_amount,
        first_marks.mob_30,
        first_marks.mob_90
    from facilities
    left join first_marks on facilities.facility_id = first_marks.facility_id
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
        count(*) as facilities,
        sum(originated.original_amount) as original_amount,
        count(case when originated.mob_30 <= months.month_index - originated.month_no then 1 end) as ever_30,
        count(case when originated.mob_90 <= months.month_index - originated.month_no then 1 end) as ever_90,
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
    ever_30 / cast(facilities as double precision) as ever_30_rate,
    ever_90 / cast(facilities as double precision) as ever_90_rate,
    cast(ever_90_amount / nullif(original_amount, 0) as double precision) as ever_90_amount_rate
from summed
