"""The clock, read in one place.

What a run works on (its day, what was known) is never read from the clock: book and day are the run's
partition, the time of knowledge follows from them (:func:`creditops.books.end_of_day`). The clock says when
something was done, which days have come, and how long something has waited.

PostgreSQL has a clock of its own, ``clock_timestamp()``. It stamps rows of ``ops`` and tells the age of such
stamps, so that several machines agree; ``tests/unit/test_clock.py`` lists where.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def now() -> datetime:
    """The time it is, as UTC."""
    return datetime.now(UTC)


def today(zone: str) -> date:
    """The day it is in a time zone, ``Asia/Shanghai``; a book's own is :func:`creditops.books.today`."""
    return now().astimezone(ZoneInfo(zone)).date()
