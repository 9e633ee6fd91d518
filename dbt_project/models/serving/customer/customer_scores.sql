select
    {{ book() }} as book,
    scores.customer_id,
    scores.scorecard,
    scores.model_version,
    scores.score,
    scores.pd,
    scores.grade,
    scores.points_total,
    {% for reason in ('reason_1', 'reason_2', 'reason_3', 'reason_4') %}
    scores.{{ reason }},
    {% endfor %}
    {% for language in ('zh', 'en') %}
    {% for reason in ('reason_1', 'reason_2', 'reason_3', 'reason_4') %}
    scores.{{ reason }}_{{ language }},
    {% endfor %}
    {% endfor %}
    scores.observed_on,
    coalesce(overrides.grade_to, scores.grade) as grade_effective,
    overrides.expires_on as override_until
from {{ source('scoring', 'customer_scores') }} as scores
left join {{ source('scoring', 'grade_override') }} as overrides
    on
        scores.book = overrides.book
        and scores.scorecard = overrides.scorecard
        and scores.customer_id = overrides.customer_id
        and scores.grade <> 'D'
        and overrides.starts_on <= {{ as_of() }}
        and overrides.expires_on > {{ as_of() }}
        and (overrides.ended_on is null or overrides.ended_on > {{ as_of() }})
where
    scores.book = {{ book() }}
    and scores.as_of_date = {{ as_of() }}
