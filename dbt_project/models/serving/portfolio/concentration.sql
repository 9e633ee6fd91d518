select
    {{ book() }} as book,
    dimension,
    member,
    exposure,
    share,
    rank,
    hhi
from {{ ref('fct_concentration') }}
where book = {{ book() }}
