-- The score that speaks for a customer on a day (domain.md#worst-score): of several scorecards the worst PD, by name
-- where they tie.
create or replace view scoring.worst_score as
select distinct on (book, as_of_date, customer_id)
    book,
    as_of_date,
    customer_id,
    scorecard,
    model_version,
    score,
    pd,
    grade
from scoring.customer_scores
order by book asc, as_of_date asc, customer_id asc, pd desc, scorecard asc;

-- What was trained and decided is never changed.
create or replace trigger model_version_append_only before update or delete or truncate on ops.model_version
for each statement execute function ops.refuse_change();
create or replace trigger model_decision_append_only before update or delete or truncate on ops.model_decision
for each statement execute function ops.refuse_change();
