{{ config(follows='facility', key='facility_id', indexed=['facility_id']) }}

with observations as (
    select
        *,
        row_number() over (order by facility_key, observation_date) as scope_key
    from {{ ref('int_restated_observation') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

scoped_facilities as (
    select
        observations.scope_key,
        observations.observation_date as last_day,
        versions.*
    from {{ ref('stg_facilities') }} as versions
    inner join observations on versions.facility_key = observations.facility_key
    where
        {{ in_scope('versions.facility_id') }}
        and versions.effective_date <= observations.observation_date
        and {{ known_at_end_of('versions', 'observations.observation_date') }}
),

products as (
    select * from {{ ref('stg_products') }}
),

customers as (
    select *
    from {{ ref('stg_customers') }}
    where {{ in_customer_scope('customer_id') }}
),

{{ facility_state_ctes() }},

scopes as (
    select
        facility_states.*,
        customers.customer_type,
        products.product_type,
        {{ basis_of('products.product_type') }} as basis
    from facility_states
    left join products on facility_states.product_id = products.product_id
    left join customers on facility_states.customer_id = customers.customer_id
),

-- A schedule without days of issue counts as known since the facility was opened.
scoped_due_items as (
    select
        scopes.scope_key,
        versions.due_item_id,
        versions.issued_on,
        versions.due_date,
        versions.amount_cents,
        versions.principal_cents
    from {{ ref('stg_due_items') }} as versions
    inner join scopes on versions.facility_key = scopes.facility_key
    where
        {{ in_scope('versions.facility_key') }}
        and (
            {{ known_at_end_of('versions', 'scopes.last_day') }}
            or (
                versions.issued_on is null
                and versions.version_no = 1
                and versions.due_date > scopes.last_day
                and versions.known_from >= {{ end_of_day('scopes.last_day') }}
                and versions.known_from < {{ end_of_day(month_end('versions.due_date')) }}
            )
        )
),

{{ due_ladder_cte() }},

payments as (
    select
        scopes.scope_key,
        scopes.basis,
        versions.*
    from {{ ref('stg_payments') }} as versions
    inner join scopes on versions.facility_key = scopes.facility_key
    where
        {{ in_scope('versions.facility_key') }}
        and versions.value_date <= scopes.last_day
        and {{ known_at_end_of('versions', 'scopes.last_day') }}
),

scoped_payments as (
    select
        payments.scope_key,
        payments.value_date,
        {{ named_due_item('payments', 'reversed', 'payments') }} as named_due_item_id,
        payments.amount_cents as cash_cents
    from payments
    left join payments as reversed
        on
            payments.reverses_payment_id = reversed.payment_id
            and payments.scope_key = reversed.scope_key
),

{{ credit_entry_ctes() }},

snapshots as (
    select
        scopes.scope_key,
        versions.month_end,
        versions.balance_cents,
        versions.credit_limit_cents,
        versions.paid_cents,
        versions.dpd,
        versions.months_past_due,
        versions.status
    from {{ ref('stg_facility_snapshots') }} as versions
    inner join scopes on versions.facility_key = scopes.facility_key
    where
        {{ in_scope('versions.facility_id') }}
        and versions.month_end <= scopes.last_day
        and {{ known_at_end_of('versions', 'scopes.last_day') }}
),

-- Disputes change no figure that is taken from here.
{{ arrears_spells_cte(disputes=none) }},

{{ facility_month_ctes() }}

select
    {{ book() }} as book,
    scopes.facility_id,
    scopes.last_day as observation_date,
    facility_months.month_end,
    coalesce(facility_months.customer_id, scopes.customer_id) as customer_id,
    scopes.product_id,
    scopes.product_type,
    scopes.opened_on,
    facility_months.status,
    facility_months.mob,
    {{ from_cents('facility_months.balance_cents') }} as balance,
    {{ from_cents('facility_months.opening_balance_cents') }} as opening_balance,
    {{ from_cents('facility_months.credit_limit_cents') }} as credit_limit,
    {{ from_cents('facility_months.due_cents') }} as amount_due,
    {{ from_cents('facility_months.paid_cents') }} as amount_paid,
    {{ from_cents('facility_months.overdue_cents') }} as overdue_amount,
    facility_months.dpd,
    facility_months.months_past_due,
    facility_months.repayment_state,
    facility_months.method
from facility_months
inner join scopes on facility_months.scope_key = scopes.scope_key
