{{ config(follows='facility', grain=['facility_key'], indexed=['facility_key']) }}

with versions as (
    select *
    from {{ ref('stg_facilities') }}
    where
        is_latest
        and {{ in_scope('facility_id') }}
),

facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key') }}
),

-- What was agreed at the opening: the last row by then, or the first one delivered for later.
ordered as (
    select
        versions.*,
        facilities.opened_on as facility_opened_on,
        row_number() over (
            partition by versions.facility_key
            order by
                case when versions.effective_date <= facilities.opened_on then versions.effective_date end desc nulls last,
                versions.effective_date
        ) as place,
        first_value(versions.credit_limit_cents) over (
            partition by versions.facility_key
            order by case when versions.credit_limit_cents is null then 1 else 0 end, versions.effective_date
        ) as first_limit_cents
    from versions
    inner join facilities on versions.facility_key = facilities.facility_key
)

select
    {{ book() }} as book,
    facility_id,
    facility_key,
    product_id,
    facility_opened_on as opened_on,
    {{ from_cents('coalesce(principal_cents, credit_limit_cents, first_limit_cents, 0)') }} as original_amount
from ordered
where place <= 1
