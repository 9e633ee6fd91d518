"""A run for a past day of a book uses schemas of its own, so that the live marts stay as they are.

The day is past when a later one was built. Rows that a publication of it takes from marts come from
the schemas with its prefix; what is keyed by day anyway (features by observation date, scores) is the
same in both. :func:`restated` asks for what is known now instead of what was known then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime

from creditops.books import Partition, end_of_day, today
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import BUILT_LAYERS, LIVE_SCHEMAS, schemas_of

PREFIX = "past_"
_restated: ContextVar[bool] = ContextVar("restated", default=False)


def schema_prefix(partition: Partition) -> str:
    """Prefix of the schemas that a run builds into; empty for the live ones."""
    with connect("publisher") as connection:
        newest = connection.execute(
            "select max(as_of) from ops.build_state where book = %s and layer = any(%s)",
            (partition.book, list(BUILT_LAYERS)),
        ).fetchone()
    assert newest is not None
    if not _restated.get() and (newest[0] is None or partition.as_of >= newest[0]):
        return ""
    # Schemas are the book's own, so that two books can be backfilled side by side.
    book = hashlib.sha256(partition.book.encode()).hexdigest()[:8]
    return f"{PREFIX}{'restated_' if _restated.get() else ''}{partition.as_of:%Y%m%d}_{book}_"


def built_prefix(partition: Partition) -> str:
    """Prefix of the schemas with the marts and features of a run: its own build's, none for the live ones."""
    prefix = schema_prefix(partition)
    if not prefix:
        return ""
    with connect("publisher") as connection:
        built = connection.execute(
            "select count(*) from ops.build_state where book = %s and as_of = %s and layer = any(%s)",
            (partition.book, partition.as_of, [prefix + "marts", prefix + "features"]),
        ).fetchone()
    return prefix if built == (2,) else ""


def schemas(partition: Partition) -> Mapping[str, str]:
    """Where a run finds marts and features."""
    return schemas_of(built_prefix(partition))


def passed_over(partition: Partition) -> date | None:
    """The later day that the live schemas hold, where the run's own day was not built beside it."""
    if not schema_prefix(partition) or schemas(partition) != LIVE_SCHEMAS:
        return None
    with connect("publisher") as connection:
        row = connection.execute(
            "select as_of from ops.build_state where book = %s and layer = 'marts' and as_of > %s",
            (partition.book, partition.as_of),
        ).fetchone()
    return None if row is None else row[0]


def known_at(partition: Partition) -> datetime:
    """By when rows must be known: the end of the day, or of today where the restated view is asked for."""
    day = partition.as_of
    if _restated.get():
        day = max(day, today(partition.book))
    return end_of_day(partition.book, day)


@contextmanager
def restated() -> Iterator[None]:
    """Within it, runs of this process see past days as they are known now."""
    token = _restated.set(True)
    try:
        yield
    finally:
        _restated.reset(token)
