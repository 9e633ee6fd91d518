"""Clock times of a book's calendar as instants, a column at a time, by the rules of its zone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl

from creditops.zone_rules import changes

_NEVER = np.iinfo(np.int64).max


def to_utc(local: pl.Series, zone: str) -> pl.Series:
    """Clock times (``Datetime`` without a zone) as UTC; what each means depends on no other.

    An hour that summer time skips is no time: null. Of one that comes twice the later is meant, as
    PostgreSQL has it.
    """
    times = local.cast(pl.Datetime("us"))
    at, offsets = _changes(times.dt.year(), zone)
    clock = times.to_physical().fill_null(0).to_numpy()
    if len(at) == 1:
        return _instants(clock - offsets[0], times.is_null())
    since = _last_at_or_before(at + offsets, clock)
    instants = clock - offsets[since]
    is_skipped = instants >= np.append(at[1:], _NEVER)[since]
    return _instants(instants, times.is_null() | pl.Series(is_skipped))


def day_ends(days: pl.Series, zone: str) -> pl.Series:
    """The last microsecond of each day in the book's calendar, as UTC (:func:`zone_rules.day_end`)."""
    at, offsets = _changes(days.dt.year(), zone)
    midnight = days.dt.offset_by("1d").cast(pl.Datetime("us")).to_physical().fill_null(0).to_numpy()
    since = _last_at_or_before(at + offsets, midnight - 1)
    ends = np.minimum(midnight - offsets[since], np.append(at[1:], _NEVER)[since]) - 1
    return _instants(ends, days.is_null())


def local_days(instants: pl.Series, zone: str) -> pl.Series:
    """The day of each instant in the book's calendar."""
    at, offsets = _changes(instants.dt.year(), zone)
    times = instants.cast(pl.Datetime("us", "UTC")).to_physical().fill_null(0).to_numpy()
    clock = times + (offsets[0] if len(at) == 1 else offsets[_last_at_or_before(at, times)])
    return _instants(clock, instants.is_null()).dt.date().alias(instants.name)


def _changes(years: pl.Series, zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Instants and the offsets from them on, in microseconds, of all the years in question."""
    needed = years.drop_nulls().unique().to_list() or [1970]
    found = sorted({change for year in needed for change in changes(zone, year)})
    kept = [found[0], *(change for before, change in pairwise(found) if change[1] != before[1])]
    return (
        np.array([at for at, _ in kept], dtype="datetime64[us]").astype(np.int64),
        np.array([offset for _, offset in kept], dtype="timedelta64[us]").astype(np.int64),
    )


def _last_at_or_before(sorted_times: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.maximum(np.searchsorted(sorted_times, times, side="right") - 1, 0)


def _instants(microseconds: np.ndarray, is_null: pl.Series) -> pl.Series:
    found = pl.Series(microseconds).cast(pl.Datetime("us", "UTC"))
    return found.set(is_null, None) if is_null.any() else found
