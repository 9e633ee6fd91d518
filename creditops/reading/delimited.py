"""Reads delimited text in Arrow batches of a few megabytes, as text cells."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from creditops.errors import DataRefusedError
from creditops.reading.dialect import check_quotes
from creditops.reading.packed import open_bytes

BLOCK_BYTES = 8 << 20
_END = "\0end\0"


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
    whole = False
    end = f"{_END}{delimiter * len(header)}"

    def note(row: arrow_csv.InvalidRow) -> str:
        nonlocal whole
        if row.text == end:
            whole = True
        else:
            seen.append(row.number)
            ragged(row.number, row.actual_columns)
        return "skip"

    following = header_line + 1
    try:
        with (
            open_bytes(path, name) as stream,
            arrow_csv.open_csv(
                pa.PythonFile(_Blocks(stream, encoding, f"\n{end}\n"), mode="r"),
                read_options=arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=BLOCK_BYTES,
                    column_names=header,
                    skip_rows=header_line,
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
            for batch in reader:
                lines = _lines(following, batch.num_rows, seen)
                following = int(lines[-1]) + 1 if len(lines) else following
                yield lines, pl.DataFrame(pl.from_arrow(batch))
    except (pa.ArrowInvalid, OSError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "straddl" in problem:
            check_quotes(path, name, encoding, delimiter, quote, header_line)
            long = _long_line(path, name)
            where = f"line {long}" if long else f"a row behind line {following}"
            problem = f"{where} is longer than {BLOCK_BYTES >> 20} MB"
        raise DataRefusedError(
            f"{name}: cannot be read to its end: {problem}", hint="deliver the file again, whole"
        ) from error
    if not whole:
        check_quotes(path, name, encoding, delimiter, quote, header_line)
        raise DataRefusedError(f"{name}: a quote never closes", hint="deliver the file again, whole")


class _Blocks(io.RawIOBase):
    """A text as UTF-8 in blocks of which none ends between CR and LF, and ``end`` behind it.

    At the start of a block the CSV reader takes a line feed for the rest of a line end if the block before
    ended with CR, also where both are within quotes (apache/arrow 51368). The end is a line that no text
    has: where the reader does not report it, a quote that never closes has swallowed it, and the rows before.
    """

    def __init__(self, stream: BinaryIO, encoding: str, end: str) -> None:
        self._stream: BinaryIO | None = stream
        self._end = end.encode()
        self._decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)()
        self._ahead = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._ahead) < size and self._stream is not None:
            if found := self._stream.read(size - len(self._ahead)):
                self._ahead += found if self._decoder is None else self._decoder.decode(found).encode()
            else:
                self._ahead += self._end
                self._stream = None
        end = size - 1 if self._ahead[size - 1 : size] == b"\r" else size
        block, self._ahead = self._ahead[:end], self._ahead[end:]
        return block


def _long_line(path: Path, name: str) -> int | None:
    """The first line that no block holds; ``None`` where only a row of several lines is as long."""
    line, length = 1, 0
    with open_bytes(path, name) as stream:
        while block := stream.read(BLOCK_BYTES):
            ends = block.count(b"\n")
            length += len(block) if not ends else block.index(b"\n")
            if length > BLOCK_BYTES:
                return line
            line += ends
            length = length if not ends else len(block) - block.rindex(b"\n") - 1
    return None


def _lines(first: int, rows: int, ragged: list[int]) -> np.ndarray:
    """The next ``rows`` record numbers from ``first`` on that are not ragged."""
    numbers = np.arange(first, first + rows + len(ragged))
    return numbers[~np.isin(numbers, ragged)][:rows]
