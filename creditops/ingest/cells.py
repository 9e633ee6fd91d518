"""Brings cells as delivered to the contract's way of writing, so that one validation serves all.

Trimmed text; empty text and the format's ``null_values`` are null; dates and times in ISO 8601;
numbers with a point and without grouping, per cent as a share. A cell that is not written as the
contract says stays as it is: validation then says what is wrong with it.
"""

from __future__ import annotations

import polars as pl

from creditops.sources.column import Column
from creditops.sources.model import FileFormat

_ISO_DATE = r"^\d{4}-\d{2}-\d{2}"


def as_contract_writes(column: Column, form: FileFormat) -> pl.Expr:
    """The text cells of ``column``, read from a file of this format, under the contract's name."""
    cell = pl.col(column.file_name).map_batches(_trimmed, return_dtype=pl.String)
    if words := [*form.null_values, *column.null_values]:
        cell = pl.when(~cell.is_in(words)).then(cell)
    if column.type in ("date", "ts") and (pattern := column.date_format or form.date_format):
        cell = _iso(cell, pattern, has_time=column.type == "ts")
    elif column.type in ("money", "rate", "int", "bigint") and (form.thousands or form.decimal == ","):
        cell = _plain_number(cell.str.strip_suffix("%") if column.percent else cell, form)
    if column.percent:
        cell = _share(cell)
    return cell.alias(column.name)


def _trimmed(cells: pl.Series) -> pl.Series:
    """Trimmed text, empty text as null; where none is empty nothing is rewritten for it."""
    stripped = cells.str.strip_chars()
    lengths = stripped.str.len_bytes()
    return stripped.set(lengths == 0, None) if lengths.min() == 0 else stripped


def _iso(cell: pl.Expr, pattern: str, *, has_time: bool) -> pl.Expr:
    if has_time:
        parsed = (
            cell.str.to_datetime(pattern, strict=False, ambiguous="earliest") if _has_clock(pattern) else None
        )
        if parsed is None:
            written = cell.str.to_date(pattern, strict=False).dt.strftime("%Y-%m-%d 00:00:00")
        elif "%z" in pattern:
            written = cell.str.to_datetime(pattern, strict=False, time_zone="UTC").dt.strftime(
                "%Y-%m-%d %H:%M:%S%.6f+00:00"
            )
        else:
            written = parsed.dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
    else:
        written = cell.str.to_date(pattern, strict=False).dt.strftime("%Y-%m-%d")
    return pl.coalesce(written, cell)


def _has_clock(pattern: str) -> bool:
    return any(each in pattern for each in ("%H", "%I", "%T", "%R", "%s", "%X"))


def _share(cell: pl.Expr) -> pl.Expr:
    """Per cent as a share; hundredths of a decimal number have no more digits than it has."""
    number = cell.str.strip_suffix("%").str.strip_chars().cast(pl.Float64, strict=False)
    return pl.coalesce((number / 100).round(15).cast(pl.String), cell)


def _plain_number(cell: pl.Expr, form: FileFormat) -> pl.Expr:
    """Without grouping marks, where they group by three; with a decimal point."""
    mark = "\\" + form.decimal
    if form.thousands:
        group = "\\" + form.thousands if form.thousands in ".'" else form.thousands
        grouped = cell.str.contains(rf"^[+-]?\d{{1,3}}({group}\d{{3}})*({mark}\d+)?$")
        cell = pl.when(grouped).then(cell.str.replace_all(form.thousands, "", literal=True)).otherwise(cell)
    if form.decimal == ",":
        whole = cell.str.contains(r"^[+-]?\d+(,\d+)?$")
        # A point in a file with decimal commas is no decimal mark: left in, it would change the amount.
        cell = (
            pl.when(whole)
            .then(cell.str.replace(",", ".", literal=True))
            .otherwise(
                pl.when(cell.str.contains(".", literal=True))
                .then(cell + pl.lit(" (decimal mark is a comma)"))
                .otherwise(cell)
            )
        )
    return cell
