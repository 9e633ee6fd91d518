{{ config(
    follows='facility',
    key='facility_id',
    grain=['facility_id', 'month_end'],
    indexed=['facility_id, month_end', 'month_end'],
    shared=true,
) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

due_ladder as (
    select
        facility_key as scope_key,
        due_item_id,
        sequence_no,
        issued_on,
        due_date,
        amount_cents,
        principal_cents,
        due_through_cents,
        principal_through_cents
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

credit_entries as (
    select
        facility_key as scope_key,
        due_item_id,
        value_date,
        cash_cents,
        applied_cents,
        pool_cents
    from {{ ref('int_credit_entry') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

arrears_spells as (
    select
        facility_key as scope_key,
        from_on,
        until_on,
        late_since,
        late_since_undisputed
    from {{ ref('int_arrears_spell') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

snapshots as (
    select
        facility_key as scope_key,
        month_end,
        balance_cents,
        credit_limit_cents,
        paid_cents,
        dpd,
        months_past_due,
        status
    from {{ ref('stg_facility_snapshots') }}
    where
        is_latest
        and {{ in_scope('facility_id') }}
),

scopes as (
    select
        facilities.facility_key as scope_key,
        facilities.basis,
        facilities.customer_type,
        facilities.product_id,
        facilities.opened_on,
        facilities.ended_on,
        {{ as_of() }} as last_day,
        facilities.status,
        facilities.principal_cents,
        facilities.credit_limit_cents
    from facilities
),

facility_versions as (
    select
        facility_key as scope_key,
        effective_date,
        next_effective_date,
        customer_id,
        status,
        manual_class,
        credit_limit_cents
    from {{ ref('int_facility_version') }}
),

{{ facility_month_ctes() }},

final as (
    select
        facility_months.*,
        facilities.facility_id,
        coalesce(facility_months.customer_id, facilities.customer_id) as holder_id,
        facilities.product_id,
        facilities.product_type,
        facilities.partner_id,
        facilities.opened_on,
        facilities.lgd,
        facilities.ccf
    from facility_months
    inner join facilities on facility_months.scope_key = facilities.facility_key
)

select
    {{ book() }} as book,
    facility_id,
    month_end,
    holder_id as customer_id,
    product_id,
    product_type,
    partner_id,
    opened_on,
    status,
    manual_class,
    mob,
    {{ from_cents('balance_cents') }} as balance,
    {{ from_cents('opening_balance_cents') }} as opening_balance,
    {{ from_cents('written_off_cents') }} as written_off_amount,
    {{ from_cents('credit_limit_cents') }} as credit_limit,
    {{ from_cents('due_cents') }} as amount_due,
    {{ from_cents('interest_due_cents') }} as interest_due,
    {{ from_cents('paid_cents') }} as amount_paid,
    {{ from_cents('overdue_cents') }} as overdue_amount,
    {{ from_cents('recovered_cents') }} as recovered_amount,
    dpd,
    dpd_undisputed,
    {{ bucket_of('dpd') }} as bucket,
    case when credit_limit_cents > 0 then balance_cents / cast(credit_limit_cents as double precision) end as utilisation,
    cast(
        {{ loss_given_default(from_cents('balance_cents'), from_cents('credit_limit_cents'), 'status', 'lgd', 'ccf') }}
        as numeric(18, 4)
    ) as loss_given_default,
    months_past_due,
    repayment_state,
    method,
    reported_dpd
from final
