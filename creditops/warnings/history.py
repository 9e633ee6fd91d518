"""Whom rules would have hit on past month ends, as temporary tables; nothing is written for good.

Conditions are evaluated on the panel and features as they are now: features and scores of a past day
are as known then, the panel with what was learnt since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import psycopg
from psycopg import sql

from creditops.errors import UsageError
from creditops.warnings import life_cycle
from creditops.warnings.calendar import last_month_end, month_end
from creditops.warnings.compiler import compile_flags
from creditops.warnings.rule import Rule
from creditops.warnings.subject import load_subjects

_TABLES = """
create temporary table flag (
    day_no int, day date, subject text, customer_id text, rule_id text, severity_rank int
) on commit drop;
create temporary table observed_day (day_no int primary key, day date, counts boolean) on commit drop;
"""

# A warning would have been raised where the condition was off in the runs before that clear one.
_ONSETS = """
create temporary table onset on commit drop as
select rule_id, customer_id, day_no, day, severity_rank
from (
    select flag.*, lag(day_no) over (partition by rule_id, customer_id order by day_no) as day_no_before
    from flag
    where rule_id is not null
) as flagged
inner join observed_day using (day_no, day)
where counts and (day_no_before is null or day_no - day_no_before > {runs_to_clear})
"""


def month_ends(first: date, last: date) -> list[date]:
    """Every month end from ``first`` to ``last``.

    Raises
    ------
    UsageError: there is none between the two days.
    """
    days: list[date] = []
    day = last_month_end(last)
    while day >= first:
        days.append(day)
        day = month_end(day, months_before=1)
    if not days:
        raise UsageError(
            f"there is no month end from {first} to {last}", hint="rules are tried on month ends: widen it"
        )
    return days[::-1]


def find_onsets(
    connection: psycopg.Connection,
    rules: Sequence[Rule],
    book: str,
    days: Sequence[date],
    *,
    schemas: Mapping[str, str],
    progress: Callable[[str], None] | None = None,
) -> None:
    """Fill the temporary tables ``flag`` and ``onset`` for ``days``, which are month ends in order.

    ``flag``: one row a day, subject and covered customer (rule_id null) and one a day, customer and
    rule that is hit. ``onset``: the flags at which a warning would have been raised. The runs before
    the first day, in which a warning may have been open already, are looked at and not counted.
    """
    connection.execute(_TABLES)
    before = [month_end(days[0], months_before=back) for back in range(life_cycle.RUNS_TO_CLEAR, 0, -1)]
    observed = [*before, *days]
    subjects = load_subjects()
    for day_no, day in enumerate(observed):
        connection.execute("insert into observed_day values (%s, %s, %s)", (day_no, day, day >= days[0]))
        in_force = [rule for rule in rules if rule.in_force(day)]
        if not in_force:
            continue
        query = compile_flags(in_force, subjects, book=book, as_of=day, schemas=schemas)
        found = connection.execute(
            sql.SQL(
                "insert into flag select {}, {}, subject, customer_id, rule_id, severity_rank from ({}) as f"
            ).format(sql.Literal(day_no), sql.Literal(day), sql.SQL(query))  # type: ignore[arg-type]
        )
        if progress:
            progress(f"{day}: {found.rowcount} customers and hits")
    connection.execute("create index on flag (rule_id, customer_id, day_no)")
    connection.execute("analyze flag")
    connection.execute(_ONSETS.format(runs_to_clear=life_cycle.RUNS_TO_CLEAR))  # type: ignore[arg-type]
    connection.execute("analyze onset")
