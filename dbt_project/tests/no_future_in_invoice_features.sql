-- A firm's invoices of twelve months at its last month ends but one are those learnt by then, counted one by one.
with features as (
    select
        *,
        max(observation_date) over () as last_observation_date
    from {{ ref('feat_sme_invoice') }}
    where book = {{ book() }}
),

looked_at as (
    select *
    from features
    where observation_date = {{ month_end_before('last_observation_date', 1) }}
),

invoices as (
    select *
    from {{ ref('stg_sme_invoices') }}
),

counted as (
    select
        looked_at.customer_id,
        looked_at.observation_date,
        count(*) as invoices
    from looked_at
    inner join invoices
        on
            looked_at.customer_id = invoices.customer_id
            and looked_at.observation_date >= invoices.issued_on
            and invoices.issued_on > {{ month_end_before('looked_at.observation_date', 12) }}
            and {{ known_at_end_of('invoices', 'looked_at.observation_date') }}
    group by looked_at.customer_id, looked_at.observation_date
)

select
    looked_at.customer_id,
    looked_at.observation_date,
    looked_at.invoices_12m,
    counted.invoices as invoices_known_then
from looked_at
left join counted on looked_at.customer_id = counted.customer_id
where looked_at.invoices_12m <> coalesce(counted.invoices, 0)
