{{ config(indexed=['facility_id', 'customer_id']) }}

with facilities as (
    select *
    from {{ ref('dim_facility') }}
    where book = {{ book() }}
),

delinquency as (
    select *
    from {{ ref('int_facility_delinquency') }}
    where book = {{ book() }}
),

positions as (
    select
        facilities.facility_id,
        facilities.customer_id,
        facilities.product_id,
        facilities.product_type,
        facilities.status,
        facilities.manual_class,
        delinquency.balance,
        delinquency.overdue_amount,
        {{ days_past_due('delinquency.late_since', 'delinquency.reported_dpd', as_of()) }} as dpd,
        {{ days_past_due('delinquency.late_since_undisputed', 'delinquency.reported_dpd', as_of()) }} as dpd_undisputed,
        facilities.credit_limit,
        facilities.lgd,
        facilities.ccf,
        {{ as_of() }} as day
    from facilities
    inner join delinquency on facilities.facility_id = delinquency.facility_id
),

{{ classed_cte('positions', 'day') }},

defaults as (
    select *
    from {{ ref('fct_default') }}
    where book = {{ book() }}
)

select
    {{ book() }} as book,
    classed.facility_id,
    classed.customer_id,
    classed.product_id,
    classed.product_type,
    classed.status,
    {{ is_open('classed.status') }} as is_open,
    {{ may_draw('classed.status') }} as may_draw,
    classed.balance,
    classed.overdue_amount,
    cast(
        {{ loss_given_default('classed.balance', 'classed.credit_limit', 'classed.status', 'classed.lgd', 'classed.ccf') }}
        as numeric(18, 4)
    ) as loss_given_default,
    classed.dpd,
    {{ class_of_rank('classed.class_rank') }} as class5,
    classed.class_reason,
    defaults.facility_id is not null as is_default,
    defaults.default_on,
    defaults.level as default_level,
    defaults.reason as default_reason
from classed
left join defaults
    on
        classed.facility_id = defaults.facility_id
        and classed.status <> 'closed'
        and classed.day >= defaults.default_on
        and classed.day < defaults.until_on
