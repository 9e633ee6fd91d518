select *
from {{ ref('base_customers') }}
where effective_date <= {{ as_of() }}
