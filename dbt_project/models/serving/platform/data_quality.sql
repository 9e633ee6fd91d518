select
    {{ book() }} as book,
    source,
    batch_id,
    check_name as "check",
    rows_checked,
    rows_failed,
    passed,
    severity
from {{ source('ops', 'gate_result') }}
where
    book = {{ book() }}
    and as_of_date = {{ as_of() }}
    and gate in ('raw', 'build')
