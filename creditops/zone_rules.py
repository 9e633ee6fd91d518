"""When a time zone changes its clocks, from the rules of :mod:`zoneinfo`; what a clock time means.

A clock time that comes twice means the later one, as PostgreSQL has it; one that is skipped means nothing.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_FIRST, _LAST = datetime(1, 1, 3), datetime(9999, 12, 29)
Change = tuple[datetime, timedelta]
"""An instant (UTC, without a zone) and the offset of the zone's clocks from it on."""


@lru_cache(maxsize=4096)
def changes(zone: str, year: int) -> tuple[Change, ...]:
    """The offset with which a calendar year begins (a day earlier), and every change to a day after it.

    Looked for day by day: no two changes lie closer together.
    """
    rules = ZoneInfo(zone)

    def offset(at: datetime) -> timedelta:
        found = at.replace(tzinfo=UTC).astimezone(rules).utcoffset()
        assert found is not None
        return found

    year = min(max(year, 1), 9999)
    start, end = (max(datetime(year, 1, 1), _FIRST) - _DAY, min(datetime(year, 12, 31), _LAST) + 2 * _DAY)
    found = [(start, offset(start))]
    days = [start + number * _DAY for number in range((end - start).days + 1)]
    for before, after in pairwise(days):
        if offset(before) == offset(after):
            continue
        while after - before > timedelta(seconds=1):
            between = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
            before, after = (between, after) if offset(between) == found[-1][1] else (before, between)
        found.append((after, offset(after)))
    return tuple(found)


def day_end(zone: str, day: date) -> datetime:
    """The last microsecond whose date on the zone's clocks is ``day`` (or earlier, of a skipped day); UTC."""
    midnight = datetime.combine(day, datetime.min.time()) + _DAY
    known = [*changes(zone, day.year), (datetime.max, timedelta(0))]
    end = max(
        min(midnight - offset, until)
        for (at, offset), (until, _) in pairwise(known)
        if at + offset < midnight
    )
    return (end - timedelta(microseconds=1)).replace(tzinfo=UTC)
