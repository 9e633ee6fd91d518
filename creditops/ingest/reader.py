"""Reads a delimited file as text cells, in batches, with the record number of every row.

Cells are trimmed and empty ones are null; typing is the contract's work. The first record of a
file is its header and counts as line 1.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from creditops.errors import DataRefusedError
from creditops.sources.contract import Contract

LINE = "_row"
RAGGED = "_fields"  # number of fields of a row that has too many or too few, else null
BATCH_ROWS = 100_000
ENCODINGS = ("utf-8-sig", "gb18030")


@dataclass
class SourceFile:
    """A file whose header has been checked against its contract."""

    path: Path
    name: str
    contract: Contract
    header: list[str]
    encoding: str
    extra_columns: list[str] = field(default_factory=list)


def open_source_file(path: Path, contract: Contract, *, name: str | None = None) -> SourceFile:
    """Check encoding and header of a file.

    Raises
    ------
    DataRefusedError: unreadable, unknown encoding, no header, a repeated or a missing column.
    """
    name = name or path.name
    encoding = _detect_encoding(path, name)
    with _open_text(path, encoding) as text:
        try:
            header = [cell.strip() for cell in next(csv.reader(text))]
        except StopIteration:
            raise DataRefusedError(
                f"{name}: the file is empty", hint="deliver at least the header line"
            ) from None
    repeated = sorted({each for each in header if header.count(each) > 1})
    if repeated:
        raise DataRefusedError(
            f"{name}: line 1: column {repeated[0]!r} appears twice", hint="keep one of the columns"
        )
    expected = [column.name for column in contract.columns]
    missing = [column for column in expected if column not in header]
    if missing:
        raise DataRefusedError(
            f"{name}: line 1: column {', '.join(map(repr, missing))} is missing",
            hint=f"source {contract.source} needs the columns {', '.join(expected)}; "
            f"the file has {', '.join(header)}",
        )
    return SourceFile(
        path, name, contract, header, encoding, [each for each in header if each not in expected]
    )


def read_batches(file: SourceFile) -> Iterator[pl.DataFrame]:
    """Batches of the contract's columns as text, with :data:`LINE` and :data:`RAGGED`.

    Raises
    ------
    DataRefusedError: a truncated archive, or text that is not in the file's encoding.
    """
    try:
        if file.path.suffix != ".gz" and file.encoding == "utf-8-sig" and not _is_ragged(file):
            yield from _read_fast(file)
        else:
            yield from _read_tolerant(file)
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise DataRefusedError(
            f"{file.name}: the archive is truncated or damaged: {error}", hint="deliver the file again"
        ) from error
    except UnicodeDecodeError as error:
        raise DataRefusedError(
            f"{file.name}: byte {error.start} is not {file.encoding}", hint="deliver the file as UTF-8"
        ) from error


def _read_fast(file: SourceFile) -> Iterator[pl.DataFrame]:
    frame = pl.scan_csv(
        file.path,
        infer_schema=False,
        row_index_name=LINE,
        row_index_offset=2,
        with_column_names=lambda names: [each.strip() for each in names],
    )
    columns = [column.name for column in file.contract.columns]
    selected = frame.select(
        pl.col(LINE).cast(pl.Int64), *(pl.col(name) for name in columns),
        pl.lit(None, dtype=pl.Int64).alias(RAGGED),
    )
    for batch in selected.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
        yield _trim(batch, columns)


def _is_ragged(file: SourceFile) -> bool:
    """Whether some line holds another number of fields than the header, or needs real parsing."""
    separators = len(file.header) - 1
    with file.path.open("rb") as handle:
        for line in handle:
            if line.count(b'"') or line.count(b",") != separators:
                return True
    return False


def _read_tolerant(file: SourceFile) -> Iterator[pl.DataFrame]:
    columns = [column.name for column in file.contract.columns]
    width = len(file.header)
    positions = [file.header.index(name) for name in columns]
    with _open_text(file.path, file.encoding) as text:
        rows = csv.reader(text)
        next(rows)
        cells: list[list[str | None]] = []
        lines: list[int] = []
        ragged: list[int | None] = []
        for line, row in enumerate(rows, start=2):
            if not row:
                row = [""] * width
            cells.append([row[at] if at < len(row) else None for at in positions])
            lines.append(line)
            ragged.append(None if len(row) == width else len(row))
            if len(cells) == BATCH_ROWS:
                yield _trim(_frame(columns, cells, lines, ragged), columns)
                cells, lines, ragged = [], [], []
        if cells:
            yield _trim(_frame(columns, cells, lines, ragged), columns)


def _frame(
    columns: list[str], cells: list[list[str | None]], lines: list[int], ragged: list[int | None]
) -> pl.DataFrame:
    frame = pl.DataFrame(cells, schema={name: pl.String for name in columns}, orient="row")
    return frame.with_columns(
        pl.Series(LINE, lines, dtype=pl.Int64), pl.Series(RAGGED, ragged, dtype=pl.Int64)
    )


def _trim(batch: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    return batch.with_columns(
        pl.when(pl.col(name).str.strip_chars() == "").then(None).otherwise(
            pl.col(name).str.strip_chars()
        ).alias(name)
        for name in columns
    )


def _open_text(path: Path, encoding: str) -> io.TextIOBase:
    opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    return io.TextIOWrapper(opened, encoding=encoding, newline="")  # type: ignore[arg-type]


def _detect_encoding(path: Path, name: str) -> str:
    """UTF-8 (with or without BOM) if the whole file is, else GB18030 if the whole file is."""
    for encoding in ENCODINGS:
        try:
            with _open_text(path, encoding) as text:
                while text.read(1 << 20):
                    pass
            return encoding
        except UnicodeDecodeError:
            continue
        except (EOFError, gzip.BadGzipFile, OSError) as error:
            raise DataRefusedError(
                f"{name}: cannot be read: {error}", hint="deliver the file again, whole"
            ) from error
    raise DataRefusedError(
        f"{name}: the text is neither UTF-8 nor GB18030", hint="deliver the file as UTF-8"
    )
