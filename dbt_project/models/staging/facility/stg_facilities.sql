select *
from {{ ref('base_facilities') }}
where
    facility_key not in (
        select quarantined.facility_key
        from {{ ref('base_quarantined_facility') }} as quarantined
        where quarantined.book = {{ book() }}
    )
