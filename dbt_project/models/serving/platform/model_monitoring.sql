select
    {{ book() }} as book,
    scorecard,
    model_version,
    metric,
    segment,
    value,
    low,
    high,
    status
from {{ source('scoring', 'model_monitoring') }}
where
    book = {{ book() }}
    and as_of_date = {{ as_of() }}
