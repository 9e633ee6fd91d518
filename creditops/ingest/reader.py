"""Reads a delimited file as text cells, in batches, with the record number of every row.

Cells are trimmed and empty ones are null; typing is the contract's work. The first record of a
file is its header and counts as line 1; blank lines are passed over and not counted.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from creditops.errors import DataRefusedError
from creditops.sources.contract import Contract

LINE = "_row"
BLOCK_BYTES = 8 << 20
ENCODINGS = ("utf-8-sig", "gb18030")


@dataclass
class SourceFile:
    """A file whose header has been checked against its contract.

    Attributes
    ----------
    ragged: lines with another number of fields than the header, as (line, fields), filled while
        the batches are read.
    """

    path: Path
    name: str
    contract: Contract
    header: list[str]
    encoding: str
    extra_columns: list[str] = field(default_factory=list)
    ragged: list[tuple[int, int]] = field(default_factory=list)


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
    """Batches of the contract's columns as text, with :data:`LINE`; bounded memory.

    Raises
    ------
    DataRefusedError: a damaged archive, or a quote that never closes.
    """
    columns = [column.name for column in file.contract.columns]

    def note(row: arrow_csv.InvalidRow) -> str:
        file.ragged.append((row.number, row.actual_columns))
        return "skip"

    try:
        with arrow_csv.open_csv(
            pa.input_stream(str(file.path), compression="gzip" if file.path.suffix == ".gz" else None),
            read_options=arrow_csv.ReadOptions(
                use_threads=False,
                block_size=BLOCK_BYTES,
                column_names=file.header,
                skip_rows=1,
                encoding=file.encoding.removesuffix("-sig"),
            ),
            parse_options=arrow_csv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=True, invalid_row_handler=note
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(file.header, pa.string()),
                include_columns=columns,
                strings_can_be_null=True,
                null_values=[""],
            ),
        ) as reader:
            following = 2
            for batch in reader:
                lines = _lines(following, batch.num_rows, [line for line, _ in file.ragged])
                following = int(lines[-1]) + 1 if len(lines) else following
                frame = pl.DataFrame(pl.from_arrow(batch))
                yield frame.select(
                    pl.Series(LINE, lines, dtype=pl.Int64),
                    *(_trimmed(pl.col(name)) for name in columns),
                )
    except (pa.ArrowInvalid, OSError) as error:
        raise DataRefusedError(
            f"{file.name}: cannot be read to its end: {str(error).splitlines()[0]}",
            hint="deliver the file again, whole",
        ) from error


def _trimmed(cell: pl.Expr) -> pl.Expr:
    stripped = cell.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _lines(first: int, rows: int, ragged: list[int]) -> np.ndarray:
    """The next ``rows`` record numbers from ``first`` on that are not ragged."""
    numbers = np.arange(first, first + rows + len(ragged))
    return numbers[~np.isin(numbers, ragged)][:rows]


def _open_text(path: Path, encoding: str) -> io.TextIOBase:
    opened = gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb")
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
    raise DataRefusedError(f"{name}: the text is neither UTF-8 nor GB18030", hint="deliver the file as UTF-8")
