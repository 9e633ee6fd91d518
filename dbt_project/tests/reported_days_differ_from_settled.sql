-- Where a facility has both, settlement wins over the days past due that the book reports (domain.md#reported-days). Listed.
{{ config(severity='warn') }}

select
    facility_id,
    month_end,
    dpd,
    reported_dpd
from {{ ref('fct_facility_month') }}
where
    book = {{ book() }}
    and method = 'settled'
    and reported_dpd <> dpd
