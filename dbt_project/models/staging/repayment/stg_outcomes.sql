with versions as (
    {{ known_versions(source('raw', 'outcomes'), ['customer_id', 'observed_on'], known_by=labels_known_at()) }}
)

select
    customer_id,
    observed_on,
    "default" as is_default
from versions
where is_latest
