with versions as (
    {{ known_versions(source('raw', 'bureau_inquiries'), ['report_id', 'inquired_on', 'inquirer']) }}
)

select
    report_id,
    inquired_on,
    inquirer,
    reason,
    known_from
from versions
where known_until is null
