"""When the platform is taken to have learnt a row: ``loaded_at`` (domain.md#point-in-time).

- A delivery for a day that no publication of the book covers yet counts as learnt at the end of
  its delivery day, whenever the loader happens to run: a re-run or a backfill gives the same time.
- Anything for a day already published is late: it counts as learnt now, so that no published
  figure changes its past.
- The book's first delivery of a source whose contract says ``history`` is a take-over of old
  records: each row counts as learnt at the end of the day its ``available`` columns name, at the
  latest with the delivery; a row that names none (a tradeline of a report) with its parent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import psycopg

from creditops.books import end_of_day
from creditops.sources.contract import Contract

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class KnownTime:
    """``loaded_at`` of a delivery, and whether its rows carry their own earlier days."""

    loaded_at: datetime
    is_history: bool


def known_time(
    connection: psycopg.Connection, contract: Contract, book: str, delivery: date, *, now: datetime
) -> KnownTime:
    """Decide the knowledge time of a file from what the book has published and loaded."""
    end = end_of_day(book, delivery)
    if end > now or is_published(connection, book, delivery):
        return KnownTime(now, False)
    other = connection.execute(
        "select exists (select from ops.load_ledger where book = %s and source = %s"
        " and status = 'loaded' and withdrawn_by is null and delivery_date <> %s)",
        (book, contract.source, delivery),
    ).fetchone()
    assert other is not None
    return KnownTime(end, contract.delivery.history and not other[0])


def is_published(connection: psycopg.Connection, book: str, delivery: date) -> bool:
    """Whether a publication of the book covers the day of a delivery."""
    row = connection.execute(
        "select exists (select from ops.publication_history"
        " where book = %s and published_at is not null and as_of_date >= %s)",
        (book, delivery),
    ).fetchone()
    return row is not None and bool(row[0])
