"""Finds how a text file is written: its encoding, over the whole file, and its delimiter."""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from creditops.errors import DataRefusedError
from creditops.reading.packed import open_bytes
from creditops.sources.model import FileFormat

ENCODINGS = ("utf-8", "gb18030")
DELIMITERS = (",", "\t", ";", "|")
_BLOCK = 8 << 20
_HEADER_BYTES = 1 << 20
_MOST_HEADER_BYTES = 64 << 20


@dataclass(frozen=True)
class Text:
    """The encoding of a text, and whether it holds double quotes."""

    encoding: str
    has_quotes: bool


def find_encoding(path: Path, name: str, stated: str | None = None) -> Text:
    """``stated`` if the whole file is in it; else UTF-8 (with or without BOM), else GB18030.

    Pure ASCII costs a scan at memory speed; UTF-16 is known by its BOM.

    Raises
    ------
    DataRefusedError: the text is in none of them; names the first line that is not.
    """
    with open_bytes(path, name) as stream:
        start = stream.read(2)
    if stated is None and start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        stated = "utf-16"
    first_bad: int | None = None
    for encoding in (stated,) if stated else ENCODINGS:
        bad, has_quotes = _scan(path, name, encoding)
        if bad is None:
            return Text(encoding, has_quotes)
        first_bad = first_bad or bad
    words = "neither UTF-8 nor GB18030" if stated is None else f"not {stated}"
    raise DataRefusedError(
        f"{name}: line {first_bad}: the text is {words}{_guess(path, name)}",
        hint="deliver the file as UTF-8, or state `format: {encoding: ...}` in the contract",
    )


def find_delimiter(head: str, expected: Collection[str], form: FileFormat) -> str:
    """The delimiter that makes the header line name most of the expected columns; without a header, the one
    that makes as many cells as there are columns.
    """
    if form.delimiter is not None:
        return form.delimiter

    def named(delimiter: str) -> int:
        cells = header_cells(head, delimiter, form.quote)
        if not form.header:
            return int(len(cells) == len(expected))
        return sum(cell in expected for cell in cells)

    return max(DELIMITERS, key=lambda delimiter: (named(delimiter), delimiter == ","))


def header_cells(head: str, delimiter: str, quote: str) -> list[str]:
    """The trimmed cells of the first record of a text; none if it is empty."""
    return [cell.strip() for cell in next(_reader(head, delimiter, quote), [])]


def header_lines(head: str, delimiter: str, quote: str) -> int:
    """How many physical lines the first record takes (a quoted name may hold line breaks)."""
    reader = _reader(head, delimiter, quote)
    next(reader, None)
    return max(reader.line_num, 1)


def read_head(path: Path, name: str, encoding: str, skip_lines: int) -> str:
    """The first characters of a text, from its header line on.

    Raises
    ------
    DataRefusedError: no line ends within 64 MB.
    """
    with open_bytes(path, name) as stream:
        data = stream.read(_HEADER_BYTES)
        while data.count(b"\n") + data.count(b"\r") <= skip_lines and (more := stream.read(_HEADER_BYTES)):
            data += more
            if len(data) > _MOST_HEADER_BYTES:
                raise DataRefusedError(
                    f"{name}: line {skip_lines + 1}: the header is longer than {_MOST_HEADER_BYTES >> 20} MB",
                    hint="is it a text with line ends? Deliver it with a header line and a row per line",
                )
    text = data.decode(encoding, errors="ignore").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    return "".join(physical_lines(text)[skip_lines:])


def physical_lines(text: str) -> list[str]:
    """The lines of a text with their ends: LF, CR LF or CR, as the reader has it; no other separates."""
    return list(io.StringIO(text, newline=""))


def _reader(head: str, delimiter: str, quote: str):  # type: ignore[no-untyped-def]
    csv.field_size_limit(sys.maxsize)
    if quote:
        return csv.reader(io.StringIO(head, newline=""), delimiter=delimiter, quotechar=quote)
    return csv.reader(io.StringIO(head, newline=""), delimiter=delimiter, quoting=csv.QUOTE_NONE)


def check_quotes(path: Path, name: str, encoding: str, delimiter: str, quote: str, skip_lines: int) -> None:
    """Refuse a text in which a quote never closes, which would swallow every row after it.

    The first ``skip_lines`` lines are not looked at.

    Raises
    ------
    DataRefusedError: names the line on which the quote opens.
    """
    csv.field_size_limit(sys.maxsize)
    if not quote:
        return
    opened = skip_lines + 1
    with open_bytes(path, name) as stream:
        text = io.TextIOWrapper(stream, encoding=encoding, newline="")
        for _ in range(skip_lines):
            next(text, None)
        reader = csv.reader(text, delimiter=delimiter, quotechar=quote, strict=True)
        while True:
            try:
                next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "end of data" in str(error):
                    raise DataRefusedError(
                        f"{name}: line {opened}: a quote never closes", hint="deliver the file again, whole"
                    ) from error
            opened = skip_lines + reader.line_num + 1


def _scan(path: Path, name: str, encoding: str) -> tuple[int | None, bool]:
    """Line of the first byte that is not of the encoding, ``None`` if the whole file is; and whether it
    holds double quotes.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    ascii_alike = encoding in ENCODINGS
    lines, has_quotes, pending = 1, False, False
    with open_bytes(path, name) as stream:
        while block := stream.read(_BLOCK):
            if not (ascii_alike and not pending and block.isascii()):
                try:
                    decoder.decode(block)
                except UnicodeDecodeError as error:
                    return lines + error.object[: error.start].count(b"\n"), has_quotes
                pending = bool(decoder.getstate()[0])
            lines += block.count(b"\n")
            has_quotes = has_quotes or b'"' in block
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return lines, has_quotes
    return None, has_quotes


def _guess(path: Path, name: str) -> str:
    """What the text looks like, for the message only."""
    from charset_normalizer import from_bytes

    with open_bytes(path, name) as stream:
        best = from_bytes(stream.read(1 << 16)).best()
    return f"; it looks like {best.encoding}" if best is not None else ""
