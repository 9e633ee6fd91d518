"""Reads a file of a foreign system as text, without interpreting anything."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from creditops.adapters.mapping import Input
from creditops.errors import DataRefusedError
from creditops.personal_data import masked
from creditops.reading import tabular, workbook
from creditops.reading.file_kinds import kind_of
from creditops.reading.packed import inner_name, open_bytes
from creditops.reading.tabular import Numbered
from creditops.sources.column import Column
from creditops.sources.model import FileFormat
from creditops.texts import Text

LINE = "_line"

_log = logging.getLogger(__name__)


def read_foreign_file(path: Path, form: Input) -> pl.DataFrame:
    """All rows of ``path`` as trimmed text, empty text as null, plus the record number in ``_line``.

    The record number counts from 1 and includes header and skipped lines, so that it is the line
    of a file without quoted line breaks and comments. Numbers of sheets, Parquet and JSON lines are written
    as people see them (7.25%); an error of a sheet is text that every contract refuses.

    Raises
    ------
    DataRefusedError: truncated, not in the stated encoding, no header, a missing column or a row
        with too few or too many fields; the message names file, line and column.
    """
    kind = kind_of(inner_name(path, path.name)) or "text"
    if kind != "text" and kind != "excel" and not form.header:
        raise DataRefusedError(
            f"{path}: only delimited text and sheets can be without a header",
            hint="take `header: false` out of the adapter's input",
        )
    match kind:
        case "excel":
            lines, frame, header = _sheet(path, form)
        case "parquet":
            header = tabular.parquet_header(path, path.name)
            _check_columns(path, header, form)
            lines, frame = _whole(tabular.parquet_batches(path, path.name, _columns(form)), form)
        case "json":
            header = []
            batches = tabular.read_json_lines(path, path.name, form.encoding, header.append, _columns(form))
            lines, frame = _whole(batches, form)
            _check_columns(path, header, form)
        case _:
            lines, frame, header = _text(path, form)
    extra = [name for name in header if name and name not in form.columns]
    if extra:
        said = masked(", ".join(extra))
        _log.warning("%s: columns unknown to the adapter are left aside: %s", masked(path.name), said)
    trimmed = (pl.col(name).str.strip_chars() for name in form.columns)
    is_null = ["", *form.null_values]
    return (
        frame.select(pl.when(~text.is_in(is_null)).then(text).name.keep() for text in trimmed)
        .with_columns(lines.alias(LINE))
        .select(LINE, *form.columns)
        .filter(pl.any_horizontal(pl.col(form.columns).is_not_null()))  # a blank line is no row
    )


def _sheet(path: Path, form: Input) -> tuple[pl.Series, pl.DataFrame, list[str]]:
    how = FileFormat(skip_lines=form.skip_lines, header=form.header, sheet=form.sheet)
    rows = workbook.sheet_rows(path, path.name, how)
    columns = _columns(form)
    if form.header:
        header, first = workbook.sheet_header(rows, path.name, how)
    else:
        rows = workbook.first_row(rows, path.name, how, columns)
        header, first = list(form.columns), form.skip_lines
    _check_columns(path, header, form)
    wide: list[tuple[int, int]] = []
    batches = workbook.sheet_batches(
        rows,
        path.name,
        header,
        first,
        columns,
        None if form.header else lambda row, width: wide.append((row, width)),
    )
    lines, frame = _whole(batches, form)
    if wide:
        raise DataRefusedError(
            f"{path}: the rows are uneven (row {wide[0][0]} has {wide[0][1]} cells, not {len(header)})",
            hint="deliver the file again, or mend the adapter's `columns`",
        )
    return lines, frame, header


def _whole(batches: Iterable[Numbered], form: Input) -> tuple[pl.Series, pl.DataFrame]:
    """Lines and rows of all batches, each with every column."""
    lines = [pl.Series(dtype=pl.Int64)]
    frames = [pl.DataFrame(schema=dict.fromkeys(form.columns, pl.String))]
    for numbers, frame in batches:
        lines.append(pl.Series(numbers, dtype=pl.Int64))
        frames.append(frame.select(name for name in frame.columns if name in form.columns))
    return pl.concat(lines), pl.concat(frames, how="diagonal")


def _columns(form: Input) -> list[Column]:
    return [Column(name=name, type="text", description=Text(en=name, zh=name)) for name in form.columns]


def _check_columns(path: Path, header: Sequence[str], form: Input) -> None:
    missing = [name for name in form.columns if name not in header]
    if missing:
        raise DataRefusedError(
            f"{path}: the column {', '.join(map(repr, missing))} is missing",
            hint=f"the file has {', '.join(filter(None, header))}; deliver it again or change the adapter",
        )
    twice = [name for name in form.columns if header.count(name) > 1]
    if twice:
        raise DataRefusedError(
            f"{path}: the column {twice[0]!r} appears twice", hint="keep one of the columns"
        )


def _text(path: Path, form: Input) -> tuple[pl.Series, pl.DataFrame, list[str]]:
    content = _content(path, form)
    try:
        frame = pl.read_csv(
            io.BytesIO(content),
            infer_schema=False,
            has_header=form.header,
            new_columns=None if form.header else list(form.columns),
            separator=form.separator,
            quote_char=form.quote,
            comment_prefix=form.comment,
            skip_rows=form.skip_lines,
        )
    except (pl.exceptions.PolarsError, ValueError) as error:
        problem = str(error).splitlines()[0]
        raise DataRefusedError(
            f"{path}: {problem}{_first_uneven_row(content, form)}",
            hint="deliver the file again, or mend its form in the adapter's `inputs`",
        ) from error
    frame = frame.rename({name: name.strip() for name in frame.columns})
    _check_columns(path, frame.columns, form)
    uneven = _first_uneven_row(content, form) if frame.height and frame[:, -1].null_count() else ""
    if uneven:
        raise DataRefusedError(f"{path}: the rows are uneven{uneven}", hint="deliver the file again")
    first = form.skip_lines + (2 if form.header else 1)
    return pl.int_range(first, first + frame.height, eager=True), frame, frame.columns


def _content(path: Path, form: Input) -> bytes:
    with open_bytes(path, path.name) as stream:
        content = stream.read()
    encoding = "utf-8-sig" if form.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else form.encoding
    try:
        return content.decode(encoding).encode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataRefusedError(
            f"{path}: line {line} is not {form.encoding}",
            hint="deliver the file again, or state its `encoding` in the adapter",
        ) from error


def _first_uneven_row(content: bytes, form: Input) -> str:
    """`` (line L has N fields, not M)`` for the first such row, otherwise nothing."""
    lines = io.StringIO(content.decode(), newline="")
    for _ in range(form.skip_lines):
        next(lines, None)
    width = None if form.header else len(form.columns)
    rows = csv.reader(lines, delimiter=form.separator, quotechar=form.quote)
    for row in rows:
        if not row or (form.comment and row[0].startswith(form.comment)):
            continue
        width = width or len(row)
        if len(row) != width:
            return f" (line {rows.line_num + form.skip_lines} has {len(row)} fields, not {width})"
    return ""
