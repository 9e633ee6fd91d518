"""Reads delimited text in Arrow batches of a few megabytes, as text cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from creditops.errors import DataRefusedError
from creditops.ingest.packed import PACKED, open_bytes

BLOCK_BYTES = 8 << 20


def read_delimited(
    path: Path,
    name: str,
    *,
    header: list[str],
    header_line: int,
    columns: list[str],
    encoding: str,
    delimiter: str,
    quote: str,
    ragged: Callable[[int, int], None],
) -> Iterator[tuple[np.ndarray, pl.DataFrame]]:
    """Line numbers and text cells of the rows below the header, batch by batch.

    Parameters
    ----------
    header_line: the physical line on which the header ends; a row's number counts on from it,
        one per record, so that it is the line of a file without quoted line breaks.
    columns: the header's names to read.
    ragged: told the line and the number of fields of every row that has not as many as the header.

    Raises
    ------
    DataRefusedError: a damaged archive, or a quote that never closes.
    """
    seen: list[int] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        seen.append(row.number)
        ragged(row.number, row.actual_columns)
        return "skip"

    try:
        with (
            _input(path, name) as stream,
            arrow_csv.open_csv(
                stream,
                read_options=arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=BLOCK_BYTES,
                    column_names=header,
                    skip_rows=header_line,
                    encoding="utf8" if encoding == "utf-8" else encoding,
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=delimiter,
                    quote_char=quote or False,
                    newlines_in_values=bool(quote),
                    ignore_empty_lines=True,
                    invalid_row_handler=note,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(header, pa.string()),
                    include_columns=columns,
                    strings_can_be_null=True,
                    null_values=[""],
                ),
            ) as reader,
        ):
            following = header_line + 1
            for batch in reader:
                lines = _lines(following, batch.num_rows, seen)
                following = int(lines[-1]) + 1 if len(lines) else following
                yield lines, pl.DataFrame(pl.from_arrow(batch))
    except (pa.ArrowInvalid, OSError) as error:
        if str(error).startswith(("Could not skip initial", "Empty CSV file")):
            return  # nothing below the header, which has been read
        raise DataRefusedError(
            f"{name}: cannot be read to its end: {_reason(error)}",
            hint="deliver the file again, whole",
        ) from error


@contextmanager
def _input(path: Path, name: str) -> Iterator[pa.NativeFile]:
    if path.suffix.lower() not in PACKED:
        with pa.OSFile(str(path)) as plain:  # faster than through a Python file
            yield plain
        return
    with open_bytes(path, name) as stream:
        yield pa.PythonFile(stream, mode="r")


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "straddl" in text:
        return f"a row is longer than {BLOCK_BYTES >> 20} MB, or a quote never closes"
    return text


def _lines(first: int, rows: int, ragged: list[int]) -> np.ndarray:
    """The next ``rows`` record numbers from ``first`` on that are not ragged."""
    numbers = np.arange(first, first + rows + len(ragged))
    return numbers[~np.isin(numbers, ragged)][:rows]
