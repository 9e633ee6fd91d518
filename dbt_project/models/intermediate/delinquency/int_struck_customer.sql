{{ config(follows='customer', indexed=['customer_id']) }}

with holdings as (
    select *
    from {{ ref('int_facility_holding') }}
    where
        book = {{ book() }}
        and {{ in_customer_scope('customer_id') }}
),

firms as (
    select customer_id
    from {{ ref('stg_customers') }}
    where
        customer_type = 'corporate'
        and {{ in_customer_scope('customer_id') }}
),

versions as (
    select * from {{ ref('int_facility_version') }}
),

struck_facilities as (
    select facility_key
    from {{ ref('int_arrears_spell') }} as arrears
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
        and {{ over_90_from('arrears') }} < least(until_on, {{ days_after(as_of(), 1) }})
    union
    select facility_key
    from versions
    where {{ class_rank('manual_class') }} >= 3
    union
    select facility_key
    from {{ ref('stg_facility_snapshots') }}
    where
        is_latest
        and {{ in_scope('facility_id') }}
        and coalesce(dpd, {{ dpd_of_months('months_past_due') }}) > 90
    union
    select facility_key
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
        and (status = 'written_off' or restructured_on is not null)
),

struck as (
    select holdings.customer_id
    from holdings
    inner join struck_facilities on holdings.facility_key = struck_facilities.facility_key
    union
    select reports.customer_id
    from {{ ref('int_bureau_report') }} as reports
    inner join holdings on reports.customer_id = holdings.customer_id
    inner join firms on reports.customer_id = firms.customer_id
    where
        reports.book = {{ book() }}
        and reports.debt_past_90 > 0
)

select
    {{ book() }} as book,
    customer_id
from struck
