-- The entries of the book add up to its payments to the cent: naming and red-letter items move no money.
with payments as (
    select *
    from {{ ref('stg_payments') }}
    where is_latest
),

facilities as (
    select *
    from {{ ref('int_facility') }}
    where book = {{ book() }}
),

entries as (
    select *
    from {{ ref('int_credit_entry') }}
    where book = {{ book() }}
),

paid as (
    select coalesce(sum(payments.amount_cents), 0) as cents
    from payments
    inner join facilities on payments.facility_key = facilities.facility_key
),

entered as (
    select coalesce(sum(cash_cents), 0) as cents
    from entries
)

select
    paid.cents as paid_cents,
    entered.cents as entered_cents
from paid
cross join entered
where paid.cents <> entered.cents
