select *
from {{ ref('base_customers') }}
