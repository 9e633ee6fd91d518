"""Brings cells as delivered to the contract's way of writing, so that one validation serves all.

Trimmed text; empty text and the format's ``null_values`` are null; dates and times in ISO 8601;
numbers with a point and without grouping, per cent as a share. A cell that is not written as the
contract says is marked as a fault: validation then says what is wrong with it.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from creditops.reading.date_format import read_date, read_time
from creditops.sources.column import Column
from creditops.sources.model import FileFormat

FAULT = "\x1a"
"""Before a cell that is no value of its column, whatever it looks like; control characters never load."""


def as_contract_writes(column: Column, form: FileFormat, *, delivery: date | None = None) -> pl.Expr:
    """The text cells of ``column``, read from a file of this format, under the contract's name.

    Parameters
    ----------
    delivery: the day of the delivery, by which two digits of a year of the past are understood.
    """
    cell = pl.col(column.file_name).map_batches(_trimmed, return_dtype=pl.String)
    if column.normalise:
        cell = (
            cell.str.normalize("NFKC")
            .str.replace_all(r"\p{Cf}", "")
            .map_batches(_trimmed, return_dtype=pl.String)
        )
    if words := [*form.null_values, *column.null_values]:
        cell = pl.when(~cell.str.strip_prefix(FAULT).is_in(words)).then(cell)
    if column.type in ("date", "ts") and (pattern := column.date_format or form.date_format):
        read = read_time if column.type == "ts" else read_date
        cell = _or_fault(read(cell, pattern, latest=delivery if column.is_past else None), cell)
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


def _or_fault(read: pl.Expr, cell: pl.Expr) -> pl.Expr:
    return pl.coalesce(read, pl.concat_str(pl.lit(FAULT), cell.str.strip_prefix(FAULT)))


def _share(cell: pl.Expr) -> pl.Expr:
    """Per cent as a share; hundredths of a decimal number have no more digits than it has."""
    number = cell.str.strip_suffix("%").str.strip_chars().cast(pl.Float64, strict=False)
    return pl.coalesce((number / 100).round(15).cast(pl.String), cell)


def _plain_number(cell: pl.Expr, form: FileFormat) -> pl.Expr:
    """Without grouping marks, where they group by three; with a decimal point."""
    mark = "\\" + form.decimal
    if form.thousands:
        group = "\\" + form.thousands if form.thousands in ".'" else form.thousands
        grouped = cell.str.contains(rf"^[+-]?[0-9]{{1,3}}({group}[0-9]{{3}})*({mark}[0-9]+)?$")
        cell = pl.when(grouped).then(cell.str.replace_all(form.thousands, "", literal=True)).otherwise(cell)
    if form.decimal == ",":
        whole = cell.str.contains(r"^[+-]?[0-9]+(,[0-9]+)?$")
        # A point in a file with decimal commas is no decimal mark: left in, it would change the amount.
        cell = _or_fault(pl.when(whole).then(cell.str.replace(",", ".", literal=True)), cell)
    return cell
