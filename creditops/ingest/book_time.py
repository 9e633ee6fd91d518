"""Clock times of a book's calendar as instants, a column at a time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import cast

import polars as pl

_UTC = pl.Datetime("us", "UTC")


def to_utc(local: pl.Series, zone: str) -> pl.Series:
    """Clock times (``Datetime`` without a zone) as UTC.

    An hour that summer time skips is no time: null. Of one that comes twice the later is meant, as
    PostgreSQL has it.
    """
    offset = _only_offset(local, zone)
    if offset is not None:
        return (
            local.cast(pl.Datetime("us")) - pl.Series([offset], dtype=pl.Duration("us"))
        ).dt.replace_time_zone("UTC")
    at_home = local.dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")
    return at_home.dt.convert_time_zone("UTC").cast(_UTC)


def day_ends(days: pl.Series, zone: str) -> pl.Series:
    """The last microsecond of each day in the book's calendar, as UTC."""
    midnight = days.dt.offset_by("1d").cast(pl.Datetime("us"))
    ends = to_utc(midnight, zone)
    if ends.null_count() > midnight.null_count():
        # Where summer time skips midnight, the clock shows an hour later at that instant.
        ends = ends.zip_with(ends.is_not_null(), to_utc(midnight.dt.offset_by("1h"), zone))
    return ends.dt.offset_by("-1us")


def _only_offset(local: pl.Series, zone: str) -> timedelta | None:
    """The zone's offset from UTC if it is the same all the way from the first time to the last."""
    if local.null_count() == len(local):
        return timedelta(0)
    first, last = cast(date, local.dt.date().min()), cast(date, local.dt.date().max())
    days: pl.Series = pl.date_range(first, last + timedelta(days=1), "1d", eager=True)
    offsets = (
        days.cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone(zone)
        .to_frame("at")
        .select((pl.col("at").dt.base_utc_offset() + pl.col("at").dt.dst_offset()).alias("offset"))
    )["offset"].unique()
    return offsets[0] if len(offsets) == 1 else None
