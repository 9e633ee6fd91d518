"""Operations warnings on models that have become slow, from ``ops.run_log``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import psycopg

RUNS = 10
FACTOR = 3.0
FLOOR_SECONDS = 2.0
_FEWEST_RUNS = 3  # under this a median says little

_INSERT = """
insert into ops.operations_warning (kind, subject, book, as_of_date, seconds, median_seconds, message)
select 'slow_model', now.step, now.book, %(as_of)s, now.seconds, usual.median_seconds,
    format('%%s took %%s s, the median of its last %%s runs is %%s s',
        now.step, round(now.seconds, 1), usual.runs, round(usual.median_seconds::numeric, 1))
from (
    select distinct on (step) step, book, scope, seconds, at
    from ops.run_log
    where step = any(%(steps)s) and book = %(book)s and scope = %(scope)s
    order by step, at desc
) as now
cross join lateral (
    select percentile_cont(0.5) within group (order by seconds) as median_seconds, count(*) as runs
    from (
        select seconds
        from ops.run_log as before
        where before.step = now.step and before.book = now.book and before.scope = now.scope
            and before.at < now.at
        order by before.at desc
        limit %(runs)s
    ) as last_runs
) as usual
where usual.runs >= %(fewest)s
    and now.seconds > %(floor)s
    and now.seconds > %(factor)s * usual.median_seconds
"""


def warn_of_slow_steps(
    connection: psycopg.Connection, steps: Sequence[str], book: str, scope: str, as_of: date
) -> int:
    """Compare the newest run of each step with the ten before it; returns the warnings raised.

    A step is slow at more than three times the median and more than two seconds. Builds of all of a
    book and of what changed are compared each with their own kind.
    """
    return connection.execute(
        _INSERT,
        {
            "steps": list(steps),
            "book": book,
            "scope": scope,
            "as_of": as_of,
            "runs": RUNS,
            "fewest": _FEWEST_RUNS,
            "floor": FLOOR_SECONDS,
            "factor": FACTOR,
        },
    ).rowcount
