with customers as (
    select *
    from {{ ref('dim_customer') }}
    where book = {{ book() }}
),

facilities as (
    select *
    from {{ ref('dim_facility') }}
    where book = {{ book() }}
),

standings as (
    select *
    from {{ ref('fct_facility_standing') }}
    where
        book = {{ book() }}
        and is_open
),

facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and month_end > {{ month_end_before(last_month_end(as_of()), 12) }}
        and status <> 'closed'
),

due_items as (
    select *
    from {{ ref('fct_open_due_item') }}
    where
        book = {{ book() }}
        and due_date >= {{ as_of() }}
),

statements as (
    select
        *,
        row_number() over (partition by customer_id order by period_end desc) as newest
    from {{ ref('fct_statement') }}
    where book = {{ book() }}
),

reports as (
    select
        *,
        row_number() over (partition by customer_id order by pulled_on desc, report_id desc) as newest
    from {{ ref('int_bureau_report') }}
    where
        book = {{ book() }}
        and known_until is null
        and {{ days_between('pulled_on', as_of()) }} <= {{ var('bureau_report_max_age_days') }}
),

open_facilities as (
    select
        standings.customer_id,
        count(*) as open_facilities,
        sum(greatest(standings.balance, 0)) as exposure,
        sum(standings.overdue_amount) as overdue_amount,
        max(standings.dpd) as dpd,
        sum(case when standings.may_draw then facilities.credit_limit end) as limit_total,
        sum(case when standings.may_draw and facilities.credit_limit > 0 then standings.balance end) as limited_balance,
        sum(standings.loss_given_default) as loss_given_default,
        sum(case when standings.is_default then standings.loss_given_default else 0 end) as loss_in_default,
        max({{ class_rank('standings.class5') }}) as class_rank
    from standings
    inner join facilities on standings.facility_id = facilities.facility_id
    group by standings.customer_id
),

year_to_date as (
    select
        customer_id,
        max(dpd) as worst_dpd
    from facility_months
    group by customer_id
),

due_days as (
    select
        due_items.customer_id,
        due_items.due_date,
        sum(due_items.open_amount) as amount,
        row_number() over (partition by due_items.customer_id order by due_items.due_date) as day_no
    from due_items
    inner join standings on due_items.facility_id = standings.facility_id
    group by due_items.customer_id, due_items.due_date
)

select
    {{ book() }} as book,
    customers.customer_id,
    customers.customer_type,
    customers.industry,
    customers.region,
    customers.group_id,
    cast(coalesce(open_facilities.open_facilities, 0) as integer) as open_facilities,
    cast(coalesce(open_facilities.exposure, 0) as numeric(18, 2)) as exposure,
    cast(coalesce(open_facilities.overdue_amount, 0) as numeric(18, 2)) as overdue_amount,
    coalesce(open_facilities.dpd, 0) as dpd,
    {{ bucket_of('coalesce(open_facilities.dpd, 0)') }} as bucket,
    case when open_facilities.class_rank is not null then {{ class_of_rank('open_facilities.class_rank') }} end as class5,
    greatest(year_to_date.worst_dpd, open_facilities.dpd) as worst_dpd_12m,
    cast(open_facilities.loss_given_default as numeric(18, 2)) as loss_given_default,
    cast(open_facilities.loss_in_default as numeric(18, 2)) as loss_in_default,
    cast(open_facilities.limit_total as numeric(18, 2)) as limit_total,
    cast(open_facilities.limited_balance / nullif(open_facilities.limit_total, 0) as double precision) as utilisation,
    statements.period_end as last_statement_on,
    statements.z2_score as z_score,
    statements.z2_zone as z_zone,
    reports.hit as bureau_hit,
    case when reports.hit then reports.bureau_worst_24m end as bureau_worst_24m,
    due_days.due_date as next_due_date,
    cast(due_days.amount as numeric(18, 2)) as next_due_amount
from customers
left join open_facilities on customers.customer_id = open_facilities.customer_id
left join year_to_date on customers.customer_id = year_to_date.customer_id
left join statements
    on
        customers.customer_id = statements.customer_id
        and statements.newest <= 1
left join reports
    on
        customers.customer_id = reports.customer_id
        and reports.newest <= 1
left join due_days
    on
        customers.customer_id = due_days.customer_id
        and due_days.day_no <= 1
