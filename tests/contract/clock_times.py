"""Clock times about every change of a zone's clocks, and what they mean, found hour by hour with zoneinfo."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from creditops.reading.book_time import day_ends, to_utc
from creditops.zone_rules import day_end

_QUARTER = timedelta(minutes=15)
_EPSILON = timedelta(microseconds=1)


def meaning(clock: datetime, zone: ZoneInfo) -> datetime | None:
    """The latest instant at which the zone's clocks show ``clock``."""
    for fold in (1, 0):
        at = clock.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == clock:
            return at
    return None


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The last microsecond of a day: what precedes the moment from which on it never returns."""
    at = datetime.combine(day, time(), UTC) + timedelta(hours=40)
    while (at - _QUARTER).astimezone(zone).date() > day:
        at -= _QUARTER
    while (at - timedelta(seconds=1)).astimezone(zone).date() > day:
        at -= timedelta(seconds=1)
    return at - _EPSILON


def differing(name: str, years: range) -> list[object]:
    """Clock times and days about the changes of a zone's clocks that are read otherwise."""
    zone = ZoneInfo(name)
    days = [date(year, 1, 1) + timedelta(days=number) for year in years for number in range(366)]
    noons = [datetime.combine(day, time(12), UTC).astimezone(zone).utcoffset() for day in days]
    near = [
        day + timedelta(days=shift)
        for day, before, after in zip(days[1:], noons, noons[1:], strict=False)
        if before != after
        for shift in (-2, -1, 0, 1)
    ]
    near = sorted({*near, days[0], days[-1]})
    clocks = [
        datetime.combine(day, time()) + number * _QUARTER + epsilon
        for day in near
        for number in range(96)
        for epsilon in (-_EPSILON, timedelta(0))
    ]
    read = to_utc(pl.Series(clocks, dtype=pl.Datetime("us")), name).to_list()
    ends = day_ends(pl.Series(near, dtype=pl.Date), name).to_list()
    return [
        *(clock for clock, at in zip(clocks, read, strict=True) if at != meaning(clock, zone)),
        *(day for day, at in zip(near, ends, strict=True) if at != end_of(day, zone)),
        *(day for day, at in zip(near, ends, strict=True) if at != day_end(name, day)),
    ]
