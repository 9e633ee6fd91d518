"""Reads the first rows of a file nobody knows yet, and finds how it is written."""

from __future__ import annotations

import csv
import io
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from creditops.errors import DataRefusedError
from creditops.reading import tabular, workbook
from creditops.reading.canonical_cells import FAULT
from creditops.reading.dialect import DELIMITERS, find_encoding, header_cells, physical_lines, read_head
from creditops.reading.file_kinds import kind_of
from creditops.reading.packed import inner_name
from creditops.sources.column import Column
from creditops.sources.model import FileFormat
from creditops.texts import Text

SAMPLE_ROWS = 20_000
_LOOK_FOR_HEADER = 10
_LOOK_FOR_DATA = 200
_VALUE = re.compile(r"[+-]?[0-9][0-9.,/:+\- T年月日]*%?$")
_YEAR = re.compile(r"(19|20)[0-9]{2}$")


@dataclass(frozen=True)
class Sample:
    """Rows of a file as trimmed text, and how the file is written.

    Without a header (``form["header"]`` is false) the columns are called ``column_1`` and so on.
    """

    cells: pl.DataFrame
    form: dict[str, object]
    encoding: str = "utf-8"


def read_sample(path: Path) -> Sample:
    """The first rows of a file as text; the header's place, delimiter and encoding are found.

    Raises
    ------
    DataRefusedError: the file cannot be read.
    """
    kind = kind_of(inner_name(path, path.name))
    if kind == "excel":
        return _sheet_sample(path)
    if kind == "parquet":
        columns = [
            Column(name=name, type="text", description=Text(en=name, zh=name))
            for name in tabular.parquet_header(path, path.name)
        ]
        batches = tabular.parquet_batches(path, path.name, columns)
        return Sample(_trimmed(next((frame for _, frame in batches), pl.DataFrame()).head(SAMPLE_ROWS)), {})
    encoding = find_encoding(path, path.name).encoding if kind else ""
    if kind == "json":
        batches = tabular.read_json_lines(path, path.name, encoding, lambda _: None)
        return Sample(_trimmed(next((frame for _, frame in batches), pl.DataFrame()).head(SAMPLE_ROWS)), {})
    if kind != "text":
        raise DataRefusedError(f"{path.name}: a file of this kind cannot be read", hint="see docs/sources.md")
    return _text_sample(path, encoding)


def _sheet_sample(path: Path) -> Sample:
    rows = _sheet_rows(path, FileFormat())
    if not any(map(any, rows)):
        raise DataRefusedError(f"{path.name}: the sheet is empty", hint="draft from a file with rows")
    skip = _header_at(rows)
    form: dict[str, object] = {"skip_lines": skip} if skip else {}
    if _is_data(rows[skip], rows[skip + 1 :]):
        form["header"] = False
    if form:  # in older forms what a cell is depends on where the data begins
        rows = _sheet_rows(path, FileFormat.model_validate(form))
    body = rows[skip:]
    if "header" in form:
        width = max(_width(row) for row in body)
        body.insert(0, [f"column_{number}" for number in range(1, width + 1)])
    width = _width(body[0])
    header, *data = [row[:width] for row in body if any(row)]
    return Sample(_frame([cell.strip() for cell in header], data), form)


def _sheet_rows(path: Path, form: FileFormat) -> list[list[str]]:
    """The first rows of a sheet, all of one length."""
    found = itertools.islice(workbook.sheet_rows(path, path.name, form), SAMPLE_ROWS)
    rows = [[_shown(cell) for cell in row] for row in found]
    width = max(map(len, rows), default=0)
    return [[*row, *[""] * (width - len(row))] for row in rows]


def _width(row: list[str]) -> int:
    return max((at for at, cell in enumerate(row, 1) if cell.strip()), default=0)


def _shown(cell: workbook.Cell) -> str:
    """A cell as its user sees it; an error (``#DIV/0!``) says nothing of its column."""
    text = workbook.plain_text(cell) or ""
    return "" if text.startswith(FAULT) else text


def _text_sample(path: Path, encoding: str) -> Sample:
    head = read_head(path, path.name, encoding, 0)
    lines = physical_lines(head)[:200]
    if not any(line.strip() for line in lines):
        raise DataRefusedError(f"{path.name}: the file is empty", hint="draft from a file with rows")

    def cells_by(delimiter: str) -> list[list[str]]:
        return [header_cells(line, delimiter, '"') if line.strip() else [] for line in lines]

    def evenness(delimiter: str) -> tuple[int, int]:
        found = [len(cells) for cells in cells_by(delimiter) if cells]
        common = max(set(found), key=found.count)
        return (found.count(common) if common > 1 else 0, common)

    delimiter = max(DELIMITERS, key=evenness)
    skip = _header_at(cells_by(delimiter))
    # The sample ends within the bytes of the head, so its last line may be cut: it is left out.
    body = "".join(physical_lines(head)[skip:])
    whole = body if len(head) < 1 << 19 else body[: body.rfind("\n") + 1]
    rows = list(
        itertools.islice(csv.reader(io.StringIO(whole, newline=""), delimiter=delimiter), SAMPLE_ROWS + 1)
    )
    form: dict[str, object] = {"skip_lines": skip} if skip else {}
    if _is_data(rows[0], rows[1:]):
        form["header"] = False
        rows.insert(0, [f"column_{number}" for number in range(1, len(rows[0]) + 1)])
    header = [cell.strip() for cell in rows[0]]
    cells = _frame(header, [row for row in rows[1:] if len(row) == len(header)])
    if delimiter != ",":
        form["delimiter"] = delimiter
    return Sample(cells, form, encoding)


def _is_data(first: list[str], rows: list[list[str]]) -> bool:
    """Whether the first row is no header: every column of numbers or dates has one there too, years that head
    columns aside; or, where there is no such column, a cell that comes again below.
    """
    typed, repeated = [], False
    for at, cell in enumerate(each.strip() for each in first):
        below = [
            row[at].strip() for row in rows[:_LOOK_FOR_DATA] if len(row) == len(first) and row[at].strip()
        ]
        if not cell or not below:
            continue
        repeated = repeated or cell in below
        if all(map(_VALUE.match, below)):
            if not _VALUE.match(cell):
                return False
            typed.append(cell)
    if typed:
        return not all(map(_YEAR.match, typed))
    return repeated


def _header_at(rows: list[list[str]]) -> int:
    """The first of the leading rows that is as wide as most rows are and more than half filled: titles
    above it are narrower, or padded with empty cells.
    """
    widths = [len(row) for row in rows if row]
    if not widths:
        return 0
    common = max(set(widths), key=lambda width: (widths.count(width), width))
    return next(
        (
            at
            for at, row in enumerate(rows[:_LOOK_FOR_HEADER])
            if len(row) >= common and sum(bool(cell.strip()) for cell in row) > common / 2
        ),
        0,
    )


def _frame(header: list[str], rows: list[list[str]]) -> pl.DataFrame:
    kept = [at for at, cell in enumerate(header) if cell]
    names = [header[at] for at in kept]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataRefusedError(f"the column {twice!r} appears twice", hint="keep one of the columns")
    frame = pl.DataFrame(
        [[row[at] for at in kept] for row in rows], schema=dict.fromkeys(names, pl.String), orient="row"
    )
    return _trimmed(frame)


def _trimmed(frame: pl.DataFrame) -> pl.DataFrame:
    stripped = pl.all().str.strip_chars()
    return frame.select(pl.when(stripped != "").then(stripped).name.keep())
