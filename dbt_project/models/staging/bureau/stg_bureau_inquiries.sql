with versions as (
    {{ known_versions(source('raw', 'bureau_inquiries'), ['report_id', 'inquired_on', 'inquirer']) }}
)

select
    report_id,
    inquired_on,
    inquirer,
    reason,
    known_from,
    known_until,
    version_no,
    is_latest
from versions
