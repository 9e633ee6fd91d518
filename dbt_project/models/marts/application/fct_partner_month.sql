with applications as (
    select *
    from {{ ref('fct_application') }}
    where
        book = {{ book() }}
        and partner_id is not null
),

rows_delivered as (
    select
        application_id,
        max(version_no) as versions
    from {{ ref('stg_applications') }}
    group by application_id
),

customers as (
    select *
    from {{ ref('dim_customer') }}
    where book = {{ book() }}
),

facilities as (
    select *
    from {{ ref('dim_facility') }}
    where
        book = {{ book() }}
        and partner_id is not null
),

marks as (
    select *
    from {{ ref('fct_facility_mark') }}
    where book = {{ book() }}
),

-- An application is at fault if a row of it had to be corrected, or it lacks what every application states.
applied as (
    select
        applications.partner_id,
        applications.applied_month as month,
        count(*) as applications,
        count(applications.decision) as decided,
        count(case when applications.decision = 'approved' then 1 end) as approved,
        count(
            case
                when
                    rows_delivered.versions > 1
                    or applications.requested_amount <= 0
                    or customers.customer_id is null
                    or (applications.decision is not null and applications.policy_version is null)
                    then 1
            end
        ) as applications_at_fault
    from applications
    inner join rows_delivered on applications.application_id = rows_delivered.application_id
    left join customers on applications.customer_id = customers.customer_id
    group by applications.partner_id, applications.applied_month
),

opened as (
    select
        facilities.partner_id,
        {{ month_end('facilities.opened_on') }} as month,
        count(*) as facilities,
        count(facilities.is_first_payment_default) as fpd_observed,
        count(case when facilities.is_first_payment_default then 1 end) as fpd,
        count(case when {{ month_end(months_after('facilities.opened_on', 3)) }} <= {{ as_of() }} then 1 end)
            as mob3_observed,
        count(
            case
                when {{ month_end(months_after('facilities.opened_on', 3)) }} <= {{ as_of() }} and marks.mob_30 <= 3
                    then 1
            end
        ) as ever_30_mob3
    from facilities
    left join marks on facilities.facility_id = marks.facility_id
    group by facilities.partner_id, {{ month_end('facilities.opened_on') }}
),

final as (
    select
        coalesce(applied.partner_id, opened.partner_id) as partner_id,
        coalesce(applied.month, opened.month) as month,
        coalesce(applied.applications, 0) as applications,
        coalesce(applied.decided, 0) as decided,
        coalesce(applied.approved, 0) as approved,
        coalesce(applied.applications_at_fault, 0) as applications_at_fault,
        coalesce(opened.facilities, 0) as facilities,
        coalesce(opened.fpd_observed, 0) as fpd_observed,
        coalesce(opened.fpd, 0) as fpd,
        coalesce(opened.mob3_observed, 0) as mob3_observed,
        coalesce(opened.ever_30_mob3, 0) as ever_30_mob3
    from applied
    full outer join opened
        on
            applied.partner_id = opened.partner_id
            and applied.month = opened.month
)

select
    {{ book() }} as book,
    partner_id,
    month,
    applications,
    decided,
    approved,
    approved / cast(nullif(decided, 0) as double precision) as approval_rate,
    applications_at_fault,
    facilities,
    fpd_observed,
    fpd,
    fpd / cast(nullif(fpd_observed, 0) as double precision) as fpd_rate,
    mob3_observed,
    ever_30_mob3,
    ever_30_mob3 / cast(nullif(mob3_observed, 0) as double precision) as ever_30_mob3_rate
from final
