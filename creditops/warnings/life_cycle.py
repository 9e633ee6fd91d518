"""The life of a warning (domain.md#warning-life): raised, kept, risen, cleared or expired, day by day.

State at the close of a day = people's acts of the day ( system step ( state at the close of the
evaluated day before, hits of the day ) ). The system step raises, keeps, lets severity rise, escalates
what nobody acknowledged within :data:`PATIENCE_DAYS`, clears after the condition is off in
:data:`RUNS_TO_CLEAR` consecutive runs, and expires warnings of rules that are no longer in force.
Differences to what is stored become events; so no difference, no event.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import psycopg

from creditops.books import end_of_day
from creditops.warnings import day_close

RUNS_TO_CLEAR = 2
PATIENCE_DAYS = {"red": 7, "orange": 14, "yellow": 30}
"""Days after which a warning that nobody acknowledged is escalated, by severity."""
OPEN = ("raised", "acknowledged", "in_response")


def lock(connection: psycopg.Connection, book: str) -> None:
    """Let nobody else change the book's warnings until the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"warnings {book}",))


def last_day(connection: psycopg.Connection, book: str) -> date | None:
    """The last day that moved the book's life cycle."""
    row = connection.execute(
        "select max(as_of_date) from actions.warning_runs where book = %s and not restated", (book,)
    ).fetchone()
    return row[0] if row else None


def place(connection: psycopg.Connection, book: str, as_of: date) -> tuple[bool, date | None]:
    """Whether ``as_of`` lies before the last evaluated day, and the evaluated day before it."""
    latest = last_day(connection, book)
    restated = latest is not None and as_of < latest
    row = connection.execute(
        "select max(as_of_date) from actions.warning_runs"
        " where book = %s and as_of_date < %s and (not restated or %s)",
        (book, as_of, restated),
    ).fetchone()
    return restated, row[0] if row else None


def close_day(
    connection: psycopg.Connection,
    book: str,
    as_of: date,
    *,
    in_force: Sequence[str],
    ran: Sequence[str],
    restated: bool,
    since: date | None,
) -> None:
    """Work out the state at the close of ``as_of`` from ``warning_hit`` and write it.

    Parameters
    ----------
    in_force: rule ids; open warnings of any other rule expire.
    ran: rule ids that were evaluated; open warnings of the others in force wait.
    restated: write the day's snapshot only.
    since: the evaluated day whose closing state is the opening one; ``None``: there is none.
    """
    values = {
        "book": book,
        "as_of": as_of,
        "since": since,
        "restated": restated,
        "in_force": list(in_force),
        "ran": list(ran),
        "runs_to_clear": RUNS_TO_CLEAR,
        "patience": json.dumps(PATIENCE_DAYS),
        "event_at": end_of_day(book, as_of).replace(microsecond=0),
    }
    statements = list(day_close.WORK_OUT)
    if not restated:
        statements += day_close.STORE
    statements += day_close.SNAPSHOT
    cursor = psycopg.ClientCursor(connection)
    for statement in statements:
        cursor.execute(statement, values)  # type: ignore[arg-type]


def record_run(
    connection: psycopg.Connection,
    book: str,
    as_of: date,
    *,
    restated: bool,
    rules: int,
    skipped: dict[str, str],
    hits: int,
) -> None:
    """Note that the day is evaluated."""
    connection.execute(
        "insert into actions.warning_runs values (%s, %s, %s, %s, %s, %s)"
        " on conflict (book, as_of_date, restated) do update"
        " set rules = excluded.rules, skipped = excluded.skipped, hits = excluded.hits",
        (book, as_of, restated, rules, json.dumps(skipped, sort_keys=True), hits),
    )


def counts(connection: psycopg.Connection, as_of: date) -> dict[str, Any]:
    """Figures of the summary, from the state that :func:`close_day` worked out."""
    row = connection.execute(
        "select count(*) filter (where first_seen_on = %(day)s),"
        " count(*) filter (where closed_on = %(day)s and closed_by = 'system' and status = 'resolved'),"
        " count(*) filter (where closed_on = %(day)s and closed_by = 'system' and status = 'expired'),"
        " count(*) filter (where closed_on is null and severity = 'red'),"
        " count(*) filter (where closed_on is null and severity = 'orange'),"
        " count(*) filter (where closed_on is null and severity = 'yellow') from warning_next",
        {"day": as_of},
    ).fetchone()
    assert row is not None
    raised, cleared, expired, red, orange, yellow = row
    return {
        "raised": raised,
        "cleared": cleared,
        "expired": expired,
        "open": {"red": red, "orange": orange, "yellow": yellow},
    }
