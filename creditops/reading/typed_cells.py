"""Text cells of a column as typed values, the form in which rows are checked, hashed and sent.

=========  ============================================================
type       values
=========  ============================================================
money      ``Int64``, hundredths
rate       ``Float64``
int        ``Int64`` (checked against the range of the column)
bigint     ``Int64``
date       ``Date``
ts         ``Datetime`` in microseconds, UTC; a time without an offset is the book's
bool       ``Boolean``
the rest   ``String``
=========  ============================================================

A cell that cannot be read is null.
"""

from __future__ import annotations

import polars as pl

from creditops.reading.book_time import local_days, to_utc
from creditops.sources.column import Column
from creditops.sources.model import FileFormat

# What a pattern lets through is read exactly as it stands. Digits are ASCII, not those of any script.
_MONEY = r"^[+-]?[0-9]{1,16}(\.[0-9]{1,2}0*)?$"
_INTEGER = r"^[+-]?[0-9]{1,19}(\.0+)?$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_USUAL_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"
_TIMESTAMP = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ](([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?|24:00(:00(\.0{1,6})?)?)"
    r"(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?$"
)
_OFFSET = r"([+-])([0-9]{2}):?([0-9]{2})?$"
_TIME = pl.Datetime("us", "UTC")
_TRUE = ("true", "t", "1", "yes", "y", "是")
_FALSE = ("false", "f", "0", "no", "n", "否")

NEEDS = {
    "money": "an amount with at most two decimals and a point, e.g. 1234.50",
    "rate": "a finite number, e.g. 0.045",
    "date": "a date as YYYY-MM-DD",
    "ts": "a time as YYYY-MM-DD HH:MM:SS, with an offset or at an hour that the book's clocks have",
    "bool": "true or false",
    "int": "a whole number",
    "bigint": "a whole number",
}
"""What a cell of each type must look like, for people."""


def needs(column: Column, form: FileFormat) -> str:
    """What a cell of ``column`` must look like in a file of this format, for people."""
    pattern = column.date_format or form.date_format
    if column.type in ("date", "ts") and pattern:
        return f"a {'date' if column.type == 'date' else 'time'} written as {pattern}"
    if column.type in ("money", "rate") and form.decimal == ",":
        return "a number with a decimal comma" + (
            " and at most two decimals" if column.type == "money" else ""
        )
    return NEEDS[column.type]


def typed(column: Column, zone: str) -> pl.Expr:
    """The cells of ``column`` (text, same name) as values; ``zone`` is the book's time zone."""
    cell = pl.col(column.name)
    match column.type:
        case "money":
            amount = pl.when(cell.str.contains(_MONEY)).then(cell).cast(pl.Decimal(18, 2), strict=False)
            return amount.to_physical().cast(pl.Int64)
        case "rate":
            return pl.when(cell.str.contains(_NUMBER)).then(cell).cast(pl.Float64, strict=False)
        case "int" | "bigint":
            whole = pl.when(cell.str.contains(_INTEGER)).then(cell.str.replace(r"\.0+$", ""))
            return whole.cast(pl.Int64, strict=False)
        case "date":
            return pl.when(cell.str.contains(_DATE)).then(cell).str.to_date("%Y-%m-%d", strict=False)
        case "ts":
            return cell.map_batches(lambda cells: _instants(cells, zone), return_dtype=_TIME)
        case "bool":
            lower = cell.str.to_lowercase()
            return pl.when(lower.is_in(_TRUE)).then(True).when(lower.is_in(_FALSE)).then(False)
        case _:
            return cell


def comparable(column: Column, value: pl.Expr, zone: str) -> pl.Expr:
    """Typed values in the form that row checks see: amounts in units, a time by the book's calendar day."""
    if column.type == "money":
        return value / 100.0
    if column.type == "ts":
        return value.map_batches(lambda times: local_days(times, zone), return_dtype=pl.Date)
    return value


def _instants(cells: pl.Series, zone: str) -> pl.Series:
    """Times of day with or without an offset; the usual way of writing goes the short way."""
    if cells.str.contains(_USUAL_TIME).all():
        local = cells.str.replace("T", " ", literal=True).str.to_datetime(
            "%Y-%m-%d %H:%M:%S", time_unit="us", strict=False
        )
        return to_utc(local, zone)
    text = cells.set(~cells.str.contains(_TIMESTAMP), None)
    if text.str.len_bytes().max() == len("YYYY-MM-DD"):
        return to_utc(text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")), zone)
    return _any_instants(text, zone)


def _any_instants(text: pl.Series, zone: str) -> pl.Series:
    cell = pl.col("text")
    clock = cell.str.slice(11)
    day = cell.str.head(10).str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))

    def part(pattern: str, group: int = 1) -> pl.Expr:
        return clock.str.extract(pattern, group).cast(pl.Int64, strict=False).fill_null(0)

    fraction = clock.str.extract(r"\.([0-9]{1,6})").str.pad_end(6, "0").cast(pl.Int64, strict=False)
    sign = pl.when(clock.str.extract(_OFFSET, 1) == "-").then(-1).otherwise(1)
    frame = text.to_frame("text").select(
        (
            day
            + pl.duration(
                hours=part(r"^([0-9]{2})"),
                minutes=part(r"^[0-9]{2}:([0-9]{2})"),
                seconds=part(r"^[0-9]{2}:[0-9]{2}:([0-9]{2})"),
                microseconds=fraction.fill_null(0),
                time_unit="us",
            )
        ).alias("local"),
        pl.duration(minutes=sign * (part(_OFFSET, 2) * 60 + part(_OFFSET, 3)), time_unit="us").alias(
            "offset"
        ),
        (clock.str.ends_with("Z") | clock.str.contains(_OFFSET)).alias("has_offset"),
    )
    return frame.select(
        pl.when("has_offset")
        .then((pl.col("local") - pl.col("offset")).dt.replace_time_zone("UTC"))
        .otherwise(to_utc(frame["local"], zone))
    ).to_series()
