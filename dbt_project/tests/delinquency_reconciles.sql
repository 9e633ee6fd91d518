-- On a month end, the panel says of each facility what its due items, summed one by one, say.
with facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and month_end = {{ as_of() }}
),

delinquency as (
    select
        *,
        {{ days_past_due('late_since', 'reported_dpd', as_of()) }} as dpd
    from {{ ref('int_facility_delinquency') }}
    where book = {{ book() }}
)

select
    facility_months.facility_id,
    facility_months.dpd as panel_dpd,
    delinquency.dpd as item_dpd,
    facility_months.overdue_amount as panel_overdue,
    delinquency.overdue_amount as item_overdue,
    facility_months.balance as panel_balance,
    delinquency.balance as item_balance
from facility_months
inner join delinquency on facility_months.facility_id = delinquency.facility_id
where
    facility_months.dpd <> delinquency.dpd
    or facility_months.overdue_amount is distinct from delinquency.overdue_amount
    or facility_months.balance <> delinquency.balance
