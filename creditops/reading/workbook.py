"""Reads a sheet of a workbook as text cells, row by row.

An Excel workbook (.xlsx, .xlsm) is streamed with the type and format of every cell, so that a number shown
as per cent is told from one that is not. Of the older and other forms (.xls, .xlsb, .ods) the library gives
texts only, all at once; what cannot be told from those is refused. In every form an error (``#DIV/0!``) or a
formula without a stored value is a fault of its row.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from creditops.errors import DataRefusedError
from creditops.reading.canonical_cells import FAULT
from creditops.reading.exact import cents, fifteen_digits, inexact, is_counted, whole_text
from creditops.reading.packed import check_workbook
from creditops.reading.tabular import BATCH_ROWS, Numbered
from creditops.sources.column import Column
from creditops.sources.model import FileFormat

_LOOKED_AT = 200
STREAMED = (".xlsx", ".xlsm")
_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 2_000
_MIDNIGHT = " 00:00:00"
_ERROR = re.compile(r"#(DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!)|Err:[0-9]{3}")
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.')


@dataclass(frozen=True)
class Shown:
    """A number of a sheet, and whether its format shows it as per cent."""

    value: int | float
    per_cent: bool = False


Cell: TypeAlias = "str | Shown | None"


def sheet_rows(path: Path, name: str, form: FileFormat) -> Iterator[list[Cell]]:
    """Every row of the sheet from the first on, also blank ones; numbers are not yet written as text.

    Raises
    ------
    DataRefusedError: no workbook, no such sheet.
    """
    if path.suffix.lower() in STREAMED:
        return _streamed(path, name, form)
    return _old(path, name, form)


def check_formats(path: Path, name: str, columns: Sequence[Column]) -> None:
    """Refuse a per cent column of a form whose number formats cannot be read: 0.07 may be shown as 7 %.

    Raises
    ------
    DataRefusedError: there is one.
    """
    shares = [column.file_name for column in columns if column.percent]
    if shares and path.suffix.lower() not in STREAMED:
        raise DataRefusedError(
            f"{name}: whether numbers of the column {shares[0]!r} are shown as per cent cannot be seen in a "
            f"{path.suffix} file",
            hint="deliver it as .xlsx or as CSV",
        )


def sheet_header(rows: Iterator[list[Cell]], name: str, form: FileFormat) -> tuple[list[str], int]:
    """Cells and number of the header's row, up to which ``rows`` is read.

    Raises
    ------
    DataRefusedError: the sheet ends before it.
    """
    row = next(islice(rows, form.skip_lines, None), None)
    if row is None:
        raise DataRefusedError(f"{name}: the sheet is empty", hint="deliver at least the header row")
    header = [(plain_text(cell) or "").removeprefix(FAULT).strip() for cell in row]
    while header and not header[-1]:
        header.pop()
    return header, form.skip_lines + 1


def first_row(
    rows: Iterator[list[Cell]], name: str, form: FileFormat, columns: Sequence[Column]
) -> Iterator[list[Cell]]:
    """The rows of a sheet without a header, whose columns are the contract's in their order.

    Raises
    ------
    DataRefusedError: the sheet is empty, or has other columns; nothing is said of what is in it.
    """
    leading = list(islice(islice(rows, form.skip_lines, None), _LOOKED_AT))
    if not any(map(_width, leading)):
        raise DataRefusedError(f"{name}: the sheet is empty", hint="deliver at least one row")
    widest = max(leading, key=_width)
    at, needed = leading.index(widest) + form.skip_lines + 1, _needed(columns)
    if not needed <= _width(widest) <= len(columns):
        raise DataRefusedError(
            f"{name}: row {at} has {_width(widest)} cells, not {len(columns)}",
            hint="a sheet without a header must have the columns "
            f"{', '.join(column.file_name for column in columns)}, in this order",
        )
    return chain(leading, rows)


def _needed(columns: Sequence[Column]) -> int:
    """How many of the columns a sheet must fill at least."""
    return max((at for at, column in enumerate(columns, 1) if column.required), default=1)


def _width(cells: list[Cell]) -> int:
    """Cells up to the last filled one."""
    return max((at for at, cell in enumerate(cells, 1) if _is_filled(cell)), default=0)


def sheet_batches(
    rows: Iterator[list[Cell]],
    name: str,
    header: list[str],
    header_row: int,
    columns: Sequence[Column],
    ragged: Callable[[int, int], None] | None = None,
) -> Iterator[Numbered]:
    """The rows below the header that are not blank, by their row numbers; only ``columns``.

    Parameters
    ----------
    ragged: told number and cells of every row that is wider than the header, which is left out; without it
        what stands beside the table is nothing of its own.

    Raises
    ------
    DataRefusedError: a number stands for an identifier that it cannot hold exactly.
    """
    at = {column.file_name: header.index(column.file_name) for column in columns}
    numbered = enumerate(rows, header_row + 1)
    filled: Iterator[tuple[int, list[Cell]]] = (
        (row, cells) for row, cells in numbered if any(map(_is_filled, cells[: len(header)]))
    )
    if ragged is not None:
        filled = _even(filled, len(header), ragged)
    while batch := list(islice(filled, BATCH_ROWS)):
        lines = pl.Series([row for row, _ in batch], dtype=pl.Int64).to_numpy()
        yield lines, pl.DataFrame([_series(batch, at[each.file_name], each, name) for each in columns])


def _even(
    rows: Iterator[tuple[int, list[Cell]]], width: int, ragged: Callable[[int, int], None]
) -> Iterator[tuple[int, list[Cell]]]:
    for row, cells in rows:
        if (found := _width(cells)) > width:
            ragged(row, found)
        else:
            yield row, cells


def plain_text(cell: Cell) -> str | None:
    """A cell as its user sees it."""
    if not isinstance(cell, Shown):
        return cell
    if cell.per_cent:
        return f"{Decimal(fifteen_digits(cell.value)).scaleb(2):f}%"
    return fifteen_digits(cell.value)


def _series(batch: list[tuple[int, list[Cell]]], at: int, column: Column, name: str) -> pl.Series:
    cells = [(row, cells[at] if at < len(cells) else None) for row, cells in batch]
    texts = [_text(cell, column, name, row) for row, cell in cells]
    if column.type == "money":
        numbers = [float(cell.value) if isinstance(cell, Shown) else None for _, cell in cells]
        frame = pl.DataFrame({"number": pl.Series(numbers, dtype=pl.Float64), "text": texts})
        texts = frame.select(pl.coalesce(cents(pl.col("number")), "text")).to_series().to_list()
    return pl.Series(column.file_name, texts, dtype=pl.String)


def _text(cell: Cell, column: Column, name: str, row: int) -> str | None:
    if not isinstance(cell, Shown):
        return cell
    if column.type in ("money", "rate") and not column.percent:
        return fifteen_digits(cell.value)
    if cell.per_cent or not is_counted(column):
        return plain_text(cell)
    try:
        return whole_text(cell.value) or fifteen_digits(cell.value)
    except OverflowError:
        raise inexact(name, row, column.file_name, fifteen_digits(cell.value)) from None


def _is_filled(cell: Cell) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def _streamed(path: Path, name: str, form: FileFormat) -> Iterator[list[Cell]]:
    """Rows with the formats of their cells; of formulas the stored values, or the formula as a fault."""
    from openpyxl import load_workbook

    has_formulas = check_workbook(path, name)
    with _explained(name), ExitStack() as stack:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the library: parts that it does not know
            values = stack.enter_context(closing(load_workbook(path, read_only=True, data_only=True)))
            formulas = (
                stack.enter_context(closing(load_workbook(path, read_only=True))) if has_formulas else None
            )
        titles = [sheet.title for sheet in values.worksheets]
        _check_sheet(form, titles, name)
        title = form.sheet or titles[0]
        written = _rows(formulas[title]) if formulas is not None else repeat(())
        for number, (cells, beside) in enumerate(zip(_rows(values[title]), written, strict=False)):
            if number == _MOST_ROWS or len(cells) > _MOST_COLUMNS:  # one far cell makes a row of 16,384
                raise DataRefusedError(
                    f"{name}: row {number + 1:,} lies below row {_MOST_ROWS:,}, or goes on after column"
                    f" {_MOST_COLUMNS:,}",
                    hint="clear what is there, or deliver the sheet as CSV",
                )
            yield [
                _cell(cell, other) for cell, other in zip(cells, chain(beside, repeat(None)), strict=False)
            ]


def _rows(sheet: Any) -> Iterable[tuple[Any, ...]]:
    sheet.reset_dimensions()  # which some programs write wrongly
    rows: Iterable[tuple[Any, ...]] = sheet.iter_rows()
    return rows


def _cell(cell: Any, beside: Any) -> Cell:
    value = cell.value
    if value is None:
        formula = beside.value if beside is not None and beside.data_type == "f" else None
        return None if formula is None else f"{FAULT}{getattr(formula, 'text', formula)}"
    if cell.data_type == "e":
        return f"{FAULT}{value}"
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return Shown(value, "%" in _LITERAL.sub("", cell.number_format or ""))
        case datetime():
            return str(value).removesuffix(_MIDNIGHT)
        case timedelta():
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
        case _:
            return str(value)


def _old(path: Path, name: str, form: FileFormat) -> Iterator[list[Cell]]:
    """Rows as the library writes their cells; numbers and dates are known where a column has nothing else."""
    import fastexcel

    check_workbook(path, name)
    with _explained(name):
        workbook = fastexcel.read_excel(path)
        _check_sheet(form, workbook.sheet_names, name)
        sheet = workbook.load_sheet(form.sheet or 0, header_row=None, skip_rows=0, dtypes="string")
        batch, errors = sheet.to_arrow_with_errors()
        rows: list[list[Cell]] = [list(row) for row in pl.DataFrame(pl.from_arrow(batch)).rows()]
        first = form.skip_lines + (1 if form.header else 0)
        if len(rows) > first:
            below = workbook.load_sheet(
                form.sheet or 0,
                header_row=form.skip_lines if form.header else None,
                skip_rows=None if form.header else first,
                schema_sample_rows=None,
            )
            typed = pl.DataFrame(pl.from_arrow(below.to_arrow())).rows()
            kinds = [column.dtype for column in below.selected_columns]
            for row, values in zip(rows[first:], typed, strict=False):
                row[:] = map(_of_kind, row, values, kinds)
    for error in errors.errors if errors else ():
        at, column = error.offset_position
        rows[at][column] = f"{FAULT}{error.detail.rpartition(' got ')[2]}"
    return iter(rows)


def _of_kind(cell: Cell, value: Any, kind: str) -> Cell:
    """A text of the library with the value that it stands for, in a column of one kind."""
    if not isinstance(cell, str):
        return cell
    if kind in ("int", "float"):
        return Shown(value)
    if kind in ("date", "datetime"):
        return cell.removesuffix(_MIDNIGHT).removesuffix("T00:00:00")
    return f"{FAULT}{cell}" if _ERROR.fullmatch(cell) else cell


def _check_sheet(form: FileFormat, sheets: list[str], name: str) -> None:
    if form.sheet is not None and form.sheet not in sheets:
        raise DataRefusedError(
            f"{name}: there is no sheet {form.sheet!r}",
            hint=f"the workbook has {', '.join(sheets)}; see `format` in the contract",
        )


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except (DataRefusedError, GeneratorExit):
        raise
    except Exception as error:  # whatever a damaged file makes the library raise
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataRefusedError(
            f"{name}: is no Excel workbook: {problem}", hint="deliver the file again, whole"
        ) from error
