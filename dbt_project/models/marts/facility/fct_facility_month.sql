{{ config(
    follows='facility',
    key='facility_id',
    grain=['facility_id', 'month_end'],
    indexed=['facility_id, month_end', 'month_end'],
    tells_changes=true,
) }}

with positions as (
    select *
    from {{ ref('fct_month_end_position') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_id') }}
),

{{ classed_cte('positions', 'month_end') }},

defaults as (
    select *
    from {{ ref('fct_default') }}
    where book = {{ book() }}
)

select
    {{ book() }} as book,
    classed.facility_id,
    classed.month_end,
    classed.customer_id,
    classed.product_id,
    classed.product_type,
    classed.partner_id,
    classed.opened_on,
    classed.status,
    {{ is_open('classed.status') }} as is_open,
    {{ may_draw('classed.status') }} as may_draw,
    classed.mob,
    classed.balance,
    classed.opening_balance,
    classed.written_off_amount,
    classed.credit_limit,
    classed.amount_due,
    classed.interest_due,
    classed.amount_paid,
    classed.overdue_amount,
    classed.recovered_amount,
    classed.dpd,
    classed.dpd_undisputed,
    classed.bucket,
    {{ class_of_rank('classed.class_rank') }} as class5,
    classed.class_reason,
    defaults.facility_id is not null as is_default,
    defaults.level as default_level,
    defaults.reason as default_reason,
    classed.utilisation,
    classed.loss_given_default,
    classed.months_past_due,
    classed.repayment_state,
    classed.method,
    classed.reported_dpd
from classed
left join defaults
    on
        classed.facility_id = defaults.facility_id
        and classed.month_end >= defaults.default_on
        and classed.month_end < defaults.until_on
