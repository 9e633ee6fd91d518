"""Delimited texts of random dialects, and what a plain reader finds: Python's csv, the whole text at once."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from creditops.errors import DataRefusedError
from creditops.reading import delimited
from creditops.reading.delimited import read_delimited
from creditops.reading.reader import open_source_file
from creditops.sources.contract import Contract

Found = tuple[list[tuple[int, tuple[str | None, ...]]], list[tuple[int, int]]] | None
"""Rows with their line, and ragged lines with their number of fields; ``None`` if a quote never closes."""

_PIECES = [
    *["a", "é", "😀", "１２", "客户", "1.5", "\\", "#", "=1+1", "-"],
    "x y",
    "\u3000",
    "\u2028",
    "\x85",
    "\x0b",
]
_MARKS = ["\r\n", "\n", "\r", "\r\r\n", '"', '""', "'", ",", ";", "\t", "|"]


@dataclass(frozen=True)
class RandomText:
    """A text with its contract, and the same as the plain reader sees it."""

    content: bytes
    contract: Contract
    expected: Found
    block: int
    packed: bool


def random_text(random: Random) -> RandomText:
    """A text of 0 to 40 rows; quotes, line ends, titles, blank and ragged lines as they fall."""
    names = ["a", "名称", "c", "d"][: random.randint(1, 4)]
    delimiter = random.choice([",", ";", "\t", "|", ",", "^", "~", "\x01"])
    quote = random.choice(['"', '"', '"', "'", "`", ""])
    end = random.choice(["\n", "\r\n", "\r\n", "\r"])
    encoding = random.choice(["utf-8", "utf-8-sig", "utf-16", "gb18030", "utf-16-le"])
    pieces = _PIECES + (_MARKS if random.random() < 0.7 else [])

    def cell() -> str:
        text = "".join(random.choices(pieces, k=random.choice([0, 1, 1, 2, 3, 9])))
        if not quote:
            return text.translate(dict.fromkeys(map(ord, "\r\n" + delimiter)))
        needs = any(each in text for each in (delimiter, "\r", "\n")) or text.startswith(quote)
        if needs or random.random() < 0.4:
            return quote + text.replace(quote, 2 * quote) + quote
        return text  # a quote within it is a character

    titles = ["", "报表", f"{quote}open", "x\u2028y", "x\x0by\x85z"]
    above = [random.choice(titles) for _ in range(random.choice([0, 0, 0, 1, 3]))]
    rows: list[str] = []
    for _ in range(random.choice([0, 1, 5, 40])):
        width = len(names) + (random.choice([-1, 1]) if random.random() < 0.05 else 0)
        rows.append(delimiter.join(cell() for _ in range(width)))
        if random.random() < 0.05:
            rows.append("")
    never_closes = bool(quote) and random.random() < 0.03
    if never_closes:
        rows.append(f"{quote}x{end}y")
    text = end.join([*above, delimiter.join(names), *rows]) + (end if random.random() < 0.7 else "")
    is_found = delimiter in ",;\t|" and len(names) > 1
    stated = {
        "delimiter": None if is_found and random.random() < 0.5 else delimiter,
        "encoding": encoding if _is_ambiguous(text, encoding) or random.random() < 0.3 else None,
        "quote": quote,
        "skip_lines": len(above),
    }
    longest = max(len(each.encode()) for each in (end.join([*above, *names]), *rows, " " * 32)) + len(end) + 4
    return RandomText(
        text.encode(encoding),
        contract(names, **{key: value for key, value in stated.items() if value is not None}),
        None if never_closes else plain(text, len(above), len(names), delimiter, quote),
        random.choice([longest, longest + 1, longest + random.randrange(200), 1 << 20]),
        random.random() < 0.2,
    )


def comes_back(text: RandomText, folder: Path) -> bool:
    """Whether the platform reads the text as the plain reader does."""
    return read(text, folder) == text.expected


def contract(names: Iterable[str], **form: object) -> Contract:
    """Text columns of these names."""
    return Contract.model_validate(
        {
            "source": "cells", "domain": "reference", "version": 1, "grain": "one line", "key": ["c0"],
            "description": {"en": "Cells.", "zh": "单元格。"}, "format": form,
            "columns": [
                {"name": f"c{at}", "header": name, "type": "text", "required": not at,
                 "description": {"en": name, "zh": "列"}}
                for at, name in enumerate(names)
            ],
        }
    )  # fmt: skip


def plain(text: str, titles: int, width: int, delimiter: str, quote: str) -> Found:
    """The whole text by Python's csv; blank lines are no rows, and rows count on from the header."""
    options = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    below = list(io.StringIO(text, newline=""))[titles:]
    records = [row for row in csv.reader(below, delimiter=delimiter, **options) if row]  # type: ignore[arg-type]
    numbered = list(enumerate(records[1:], titles + 2))
    return (
        [(line, tuple(cell or None for cell in row)) for line, row in numbered if len(row) == width],
        [(line, len(row)) for line, row in numbered if len(row) != width],
    )


def read(text: RandomText, folder: Path) -> Found:
    """The text as the platform reads it, before cells are trimmed."""
    path = folder / ("cells.csv.gz" if text.packed else "cells.csv")
    path.write_bytes(gzip.compress(text.content, 1) if text.packed else text.content)
    rows: list[tuple[int, tuple[str | None, ...]]] = []
    ragged: list[tuple[int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BLOCK_BYTES", text.block)
        try:
            file = open_source_file(path, text.contract)
            for lines, frame in read_delimited(
                path,
                path.name,
                header=file.header,
                header_line=file.header_line,
                columns=[column.file_name for column in text.contract.columns],
                encoding=file.encoding,
                delimiter=file.delimiter,
                quote=file.quote,
                ragged=lambda line, fields: ragged.append((line, fields)),
            ):
                rows += zip(lines.tolist(), frame.rows(), strict=True)
        except DataRefusedError as error:
            if "never closes" in error.message:
                return None
            raise
    return rows, ragged


def _is_ambiguous(text: str, encoding: str) -> bool:
    """Whether nothing in the bytes says that they are of this encoding."""
    if encoding == "utf-16-le":
        return True
    try:
        return encoding == "gb18030" and not text.isascii() and bool(text.encode(encoding).decode("utf-8"))
    except UnicodeDecodeError:
        return False
