"""Dates and times written by a pattern, read exactly or not at all."""

from __future__ import annotations

from datetime import date

import polars as pl

from creditops.sources.date_pattern import MONTHS, expression

_POSIX_PIVOT = 69  # of two digits of a year: 69 is 1969, 68 is 2068


def read_date(cell: pl.Expr, pattern: str, *, latest: date | None = None) -> pl.Expr:
    """The date of each text as ``YYYY-MM-DD``; null where it is not written exactly so, or is no date.

    Parameters
    ----------
    latest: the day after which no date can lie, by which two digits of a year are understood; without one
        69 to 99 are of the last century.
    """
    fields, names = _fields(cell, pattern)
    return _day(fields, names, latest).str.to_date("%Y-%m-%d", strict=False).dt.strftime("%Y-%m-%d")


def read_time(cell: pl.Expr, pattern: str, *, latest: date | None = None) -> pl.Expr:
    """Like :func:`read_date`, with the time of day (midnight where the pattern has none) and offset."""
    fields, names = _fields(cell, pattern)
    day = read_date(cell, pattern, latest=latest)
    hour = _hour(fields, names)
    if hour is None:
        return day

    def two(part: str) -> pl.Expr:
        return fields.struct.field(part) if part in names else pl.lit("00")

    text = pl.concat_str(day, pl.lit(" "), hour, pl.lit(":"), two("M"), pl.lit(":"), two("S"))
    if "f" in names:
        text = pl.concat_str(text, pl.lit("."), fields.struct.field("f"))
    return pl.concat_str(text, fields.struct.field("z")) if "z" in names else text


def _fields(cell: pl.Expr, pattern: str) -> tuple[pl.Expr, frozenset[str]]:
    regex, names = expression(pattern)
    return cell.str.extract_groups(regex), names


def _day(fields: pl.Expr, names: frozenset[str], latest: date | None) -> pl.Expr:
    if "b" in names:
        short = fields.struct.field("b").str.to_lowercase().str.head(3)
        month = short.replace_strict(
            {name[:3]: f"{number:02}" for number, name in enumerate(MONTHS, 1)},
            default=None,
            return_dtype=pl.String,
        )
    else:
        month = fields.struct.field("m").str.zfill(2)
    within_year = pl.concat_str(pl.lit("-"), month, pl.lit("-"), fields.struct.field("d").str.zfill(2))
    if "Y" in names:
        return pl.concat_str(fields.struct.field("Y"), within_year)
    two = fields.struct.field("y")
    if latest is None:
        century = pl.when(two >= str(_POSIX_PIVOT)).then(pl.lit("19")).otherwise(pl.lit("20"))
        return pl.concat_str(century, two, within_year)
    this, last = f"{latest.year // 100:02}", f"{latest.year // 100 - 1:02}"
    day = pl.concat_str(pl.lit(this), two, within_year)
    return (
        pl.when(day <= latest.isoformat()).then(day).otherwise(pl.concat_str(pl.lit(last), two, within_year))
    )


def _hour(fields: pl.Expr, names: frozenset[str]) -> pl.Expr | None:
    if "H" in names:
        return fields.struct.field("H").str.zfill(2)
    if "I" not in names:
        return None
    twelve = fields.struct.field("I").cast(pl.Int64)
    is_pm = fields.struct.field("p").str.to_lowercase() == "pm"
    hour = twelve % 12 + pl.when(is_pm).then(12).otherwise(0)
    return pl.when(twelve.is_between(1, 12)).then(hour.cast(pl.String).str.zfill(2))
