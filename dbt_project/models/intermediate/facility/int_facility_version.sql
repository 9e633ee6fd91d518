{{ config(materialized='ephemeral', contract={'enforced': false}, shared=true) }}

with scoped_facilities as (
    select
        facility_key as scope_key,
        {{ as_of() }} as last_day,
        *
    from {{ ref('stg_facilities') }}
    where
        is_latest
        and {{ in_scope('facility_id') }}
),

{{ facility_state_ctes() }}

select
    scope_key as facility_key,
    effective_date,
    next_effective_date,
    customer_id,
    status,
    manual_class,
    credit_limit_cents
from facility_versions
