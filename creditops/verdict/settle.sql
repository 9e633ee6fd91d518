-- The verdict on every customer of a day (domain.md#verdict). Parameters: book, as_of, default_grade.
insert into actions.customer_verdict (
    book, as_of_date, customer_id, customer_type, open_facilities, facilities_in_default, owes, may_draw,
    in_default, default_on, default_reason, class5, class_reason, scorecard, score, pd, grade, expected_loss
)
with worst_scores as (
    select * from scoring.worst_score where book = %(book)s and as_of_date = %(as_of)s
)

select
    state.book,
    state.as_of_date,
    state.customer_id,
    state.customer_type,
    state.open_facilities,
    state.facilities_in_default,
    state.owes,
    state.may_draw,
    state.is_default,
    state.default_on,
    state.default_reason,
    state.class5,
    state.class_reason,
    worst_scores.scorecard,
    worst_scores.score,
    case when state.is_default then 1 else worst_scores.pd end,
    case when state.is_default then %(default_grade)s else worst_scores.grade end,
    -- PD x LGD x EAD, facility by facility: the PD of one in default is 1 also where the customer is not in default.
    round(
        position.loss_in_default
        + case when state.is_default then 1 else worst_scores.pd::numeric end
        * (position.loss_given_default - position.loss_in_default), 2
    )
from {marts}.fct_customer_state as state
left join {marts}.fct_customer_position as position
    on position.book = %(book)s and state.customer_id = position.customer_id
left join worst_scores on state.customer_id = worst_scores.customer_id
where state.book = %(book)s and state.as_of_date = %(as_of)s
