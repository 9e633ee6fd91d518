"""Reads a delimited file of a foreign system as text, without interpreting anything."""

from __future__ import annotations

import csv
import gzip
import io
import logging
import zlib
from pathlib import Path

import polars as pl

from creditops.adapters.mapping import Input
from creditops.errors import DataRefusedError

LINE = "_line"

_log = logging.getLogger(__name__)


def read_foreign_file(path: Path, form: Input) -> pl.DataFrame:
    """All rows of ``path`` as trimmed text, empty text as null, plus the record number in ``_line``.

    The record number counts from 1 and includes header and skipped lines, so that it is the line
    of a file without quoted line breaks and comments.

    Raises
    ------
    DataRefusedError: truncated, not in the stated encoding, no header, a missing column or a row
        with too few or too many fields; the message names file, line and column.
    """
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
            null_values=list(form.null_values) or None,
        )
    except (pl.exceptions.PolarsError, ValueError) as error:
        problem = str(error).splitlines()[0]
        raise DataRefusedError(
            f"{path}: {problem}{_first_uneven_row(content, form)}",
            hint="deliver the file again, or mend its form in the adapter's `inputs`",
        ) from error
    frame = frame.rename({name: name.strip() for name in frame.columns})
    missing = [name for name in form.columns if name not in frame.columns]
    if missing:
        raise DataRefusedError(
            f"{path}: the column {', '.join(map(repr, missing))} is missing",
            hint=f"the file has {', '.join(frame.columns)}; deliver it again or change the adapter",
        )
    uneven = _first_uneven_row(content, form) if frame.height and frame[:, -1].null_count() else ""
    if uneven:
        raise DataRefusedError(f"{path}: the rows are uneven{uneven}", hint="deliver the file again")
    extra = [name for name in frame.columns if name not in form.columns]
    if extra:
        _log.warning("%s: columns unknown to the adapter are left aside: %s", path.name, ", ".join(extra))
    trimmed = (pl.col(name).str.strip_chars() for name in form.columns)
    first = form.skip_lines + (2 if form.header else 1)
    return (
        frame.select(pl.when(text != "").then(text).name.keep() for text in trimmed)
        .with_row_index(LINE, offset=first)
        .with_columns(pl.col(LINE).cast(pl.Int64))
        .filter(pl.any_horizontal(pl.col(form.columns).is_not_null()))  # a blank line is no row
    )


def _content(path: Path, form: Input) -> bytes:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataRefusedError(
            f"{path}: the archive is truncated or damaged: {error}", hint="deliver the file again"
        ) from error
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
