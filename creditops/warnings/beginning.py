"""Since when a condition holds (domain.md#raised-on): the day it began, as far as the data tell.

A rule may name the column that tells the day. Else what is about to be raised is looked at again on the
month ends before, with the same rules and today's data, until the condition was off. So the first run
of a book raises what is old with its own day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import psycopg
from psycopg import sql

from creditops.warnings.calendar import last_month_end, month_end
from creditops.warnings.compiler import compile_flags
from creditops.warnings.rule import Rule
from creditops.warnings.subject import Subject

MONTHS = 12
"""Month ends looked back on at most; a condition older than that began before them."""

NO_BEGINNINGS = """
create temporary table warning_began (
    customer_id text, rule_id text, began_on date, still boolean, primary key (customer_id, rule_id)
) on commit drop
"""

# Hits that no open warning speaks of yet.
_NEW = """
insert into warning_began (customer_id, rule_id, began_on, still)
select hit.customer_id, hit.rule_id, least(hit.began_on, %(as_of)s::date), hit.began_on is null
from warning_hit as hit
where not exists (
    select 1 from actions.warning_states as known
    where known.book = %(book)s and known.as_of_date = %(since)s and known.closed_on is null
        and known.customer_id = hit.customer_id and known.rule_id = hit.rule_id
)
"""


def date_back(
    connection: psycopg.Connection,
    rules: Sequence[Rule],
    subjects: Mapping[str, Subject],
    *,
    book: str,
    as_of: date,
    since: date | None,
    schemas: Mapping[str, str],
) -> None:
    """Fill the temporary table ``warning_began`` for the hits in ``warning_hit`` that are new.

    Parameters
    ----------
    since: the evaluated day whose open warnings go on; their conditions began before.
    """
    connection.execute(NO_BEGINNINGS)
    values = {"book": book, "as_of": as_of, "since": since}
    psycopg.ClientCursor(connection).execute(_NEW, values)
    observed = last_month_end(as_of)
    days = [observed] if observed < as_of else []
    days += [month_end(observed, months_before=back) for back in range(1, MONTHS + 1)]
    for day in days:
        rows = connection.execute("select distinct rule_id from warning_began where still").fetchall()
        looked_at = [rule for rule in rules if (rule.id,) in rows]
        if not looked_at:
            return
        flags = compile_flags(looked_at, subjects, book=book, as_of=day, schemas=schemas, covered=False)
        connection.execute(
            sql.SQL(
                "with flag as materialized ({flags}),"
                " seen as (select began.customer_id, began.rule_id, flag.rule_id is not null as held"
                " from warning_began as began left join flag using (customer_id, rule_id) where began.still)"
                " update warning_began as began set still = held,"
                " began_on = case when held then {day} else began_on end from seen"
                " where seen.customer_id = began.customer_id and seen.rule_id = began.rule_id"
            ).format(flags=sql.SQL(flags), day=sql.Literal(day))  # type: ignore[arg-type]
        )
