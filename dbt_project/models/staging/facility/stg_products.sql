select *
from {{ ref('base_products') }}
