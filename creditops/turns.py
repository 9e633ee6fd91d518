"""Turns of a book: its live marts, scores and candidate belong to one day at a time.

Books have partitions of their own in every table, so any number of them are worked on side by side. Of
one book a second day begins when the chain of the first is over. Who has the turn stands in
``ops.book_turn``; that a step is at work is said by a lock of the session that works on it, which
PostgreSQL gives back when that session ends, however it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg

from creditops.books import Partition
from creditops.warehouse.connection import connect

#: A chain whose run has ended is over when none of its next runs has begun for so long.
BETWEEN_RUNS = timedelta(seconds=60)
_LOCK_SPACE = 2
_READ = "select as_of_date, run_id, step, seen_at from ops.book_turn where book = %s and has_turn"
_LOOK = (
    "select as_of_date, run_id, step, seen_at, seen_at < clock_timestamp() - %s::interval from ops.book_turn"
    " where book = %s and has_turn"
)
_NOTE = """
insert into ops.book_turn (book, as_of_date, run_id, step, has_turn) values (%s, %s, %s, %s, %s)
on conflict (book, as_of_date) do update set
    run_id = excluded.run_id, step = excluded.step, has_turn = excluded.has_turn, seen_at = clock_timestamp()
"""
IsOver = Callable[[str], bool]


@dataclass(frozen=True)
class Holder:
    """Whose turn it is.

    Attributes
    ----------
    run_id: as in ``ops.run_log``: ``<dag>/<run>``, or ``local``.
    seen_at: when a step of it last began or ended.
    """

    as_of: date
    run_id: str
    step: str
    seen_at: datetime


class NotYet(Exception):
    """Another day of the book has the turn; the text is for people to read."""


def holder(book: str) -> Holder | None:
    """Whose turn it is with a book, if anybody's."""
    with connect("publisher") as connection:
        row = connection.execute(_READ, (book,)).fetchone()
    return None if row is None else Holder(*row)


@contextmanager
def hold(
    partition: Partition, run_id: str, step: str, is_over: IsOver = lambda run_id: True
) -> Iterator[None]:
    """Have the book's turn while a step works; its day keeps it afterwards, see :func:`give_back`.

    Parameters
    ----------
    is_over: whether a run, as named in :class:`Holder`, has ended; asked only where a step of another
        day last worked :data:`BETWEEN_RUNS` ago.

    Raises
    ------
    NotYet: it is another day's turn.
    """
    with connect("publisher", autocommit=True, application=f"creditops {partition.key} {step}") as session:
        _take(session, partition, run_id, step, is_over)
        try:
            yield
        finally:
            # The session may be lost; what it held is free then.
            with suppress(psycopg.OperationalError):
                session.execute(
                    "update ops.book_turn set seen_at = clock_timestamp()"
                    " where book = %s and as_of_date = %s",
                    (partition.book, partition.as_of),
                )
            session.close()


def give_back(partition: Partition) -> None:
    """Say that nothing follows any more from the book's day."""
    with connect("publisher") as connection:
        connection.execute(
            "delete from ops.book_turn where book = %s and as_of_date = %s", (partition.book, partition.as_of)
        )


def _take(session: psycopg.Connection, partition: Partition, run_id: str, step: str, is_over: IsOver) -> None:
    book, day = partition.book, partition.as_of
    found = session.execute(_LOOK, (BETWEEN_RUNS, book)).fetchone()
    standing = Holder(*found[:4]) if found else None
    is_idle = found is not None and found[4]
    ended = standing is not None and standing.as_of != day and is_idle and is_over(standing.run_id)
    refusal = None
    with session.transaction():
        # Those who ask at the same time follow one another.
        session.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"ask for turn {book}",))
        row = session.execute(_READ, (book,)).fetchone()
        now = None if row is None else Holder(*row)
        if now is not None and now.as_of != day:
            refusal = _why_not(session, partition, now, ended and now == standing)
        elif now is None:
            refusal = _who_is_before(session, partition)
        if refusal is None:
            session.execute(
                "delete from ops.book_turn where book = %s and as_of_date <> %s"
                " and (has_turn or seen_at < clock_timestamp() - interval '1 day')",
                (book, day),
            )
            session.execute("select pg_advisory_lock_shared(hashtextextended(%s, %s))", (book, _LOCK_SPACE))
        session.execute(_NOTE, (book, day, run_id, step, refusal is None))
    if refusal is not None:
        raise NotYet(f"{refusal}: {partition.key} waits for its turn")


def _why_not(session: psycopg.Connection, partition: Partition, now: Holder, ended: bool) -> str | None:
    book = partition.book
    seen = f"seen {now.seen_at:%H:%M:%S} UTC"
    whose = f"book {book} is at work on {now.as_of} ({now.run_id}, step {now.step}, {seen})"
    if not ended:
        return whose
    free = session.execute(
        "select pg_try_advisory_xact_lock(hashtextextended(%s, %s))", (book, _LOCK_SPACE)
    ).fetchone()
    if free is None or not free[0]:
        return f"{whose}, and its process is still alive"
    return _who_is_before(session, partition)


def _who_is_before(session: psycopg.Connection, partition: Partition) -> str | None:
    """An earlier day that waits as well goes first: a day built after a later one is built beside it."""
    row = session.execute(
        "select min(as_of_date) from ops.book_turn where book = %s and as_of_date < %s and not has_turn"
        " and seen_at > clock_timestamp() - %s::interval",
        (partition.book, partition.as_of, BETWEEN_RUNS),
    ).fetchone()
    return None if row is None or row[0] is None else f"{row[0]} of book {partition.book} is before it"
