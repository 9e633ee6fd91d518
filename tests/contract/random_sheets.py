"""Workbooks of random cells, and what a plain reader finds in them: fastexcel, the whole sheet at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

import fastexcel
import openpyxl
import polars as pl
import pytest

from creditops.reading import workbook
from creditops.reading.reader import LINE, open_source_file, read_batches
from creditops.sources.contract import Contract
from tests.contract.random_texts import contract

Row = tuple[int, tuple[str | None, ...]]
_TEXTS = [
    "a",
    " x ",
    "客户",
    "007",
    "1e5",
    "12%",
    "2026-05-31",
    "due 00:00:00",
    "a\nb",
    "\u2028",
    "<&>",
    "😀",
    "TRUE",
]
_ERRORS = ["#DIV/0!", "#N/A", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"]
_PLAIN_FORMATS = ["General", "0.00", "#,##0.00", '0.0"%"', "0\\%"]
_SHARE_FORMATS = ["0%", "0.00%", "#,##0.0%;[Red]-0.0%"]


class RandomSheet:
    """A workbook with its contract (text columns) and what each row holds as its user sees it."""

    def __init__(self, random: Random, path: Path) -> None:
        self._random = random
        self.path = path
        self.batch = random.choice([1, 2, 7, 65_536])
        names = ["a", "名称", "c", "d"][: random.randint(1, 4)]
        above = random.choice([0, 0, 1, 3])
        self.contract: Contract = contract(names, skip_lines=above, sheet=random.choice([None, "数据"]))
        book = openpyxl.Workbook()
        self._sheet = book.active
        self._sheet.title = "数据"
        book.create_sheet("其他").append(["a", 1])
        for number in range(above):
            self._sheet.cell(number + 1, 1, random.choice(["报表", None, 1.5]))
        for at, name in enumerate(names):
            self._sheet.cell(above + 1, at + 1, f" {name} ")
        self.expected: list[Row] = []
        for line in range(above + 2, above + 2 + random.choice([0, 1, 5, 30])):
            cells = tuple(self._put(line, at + 1) for at in range(len(names)))
            if any(cell and cell.strip() for cell in cells):
                self.expected.append((line, cells))
        book.save(path)

    def _put(self, line: int, at: int) -> str | None:
        """Write a random cell; returns what a user sees (a fault begins with the mark of one)."""
        value, shown, number_format = self._any()
        cell = self._sheet.cell(line, at, value)
        if number_format:
            cell.number_format = number_format
        return shown

    def _any(self) -> tuple[Any, str | None, str | None]:
        random = self._random
        day = date(1990, 1, 1) + timedelta(days=random.randrange(20_000))
        clock = time(random.randrange(24), random.randrange(60), random.randrange(60))
        match random.randrange(10):
            case 0 | 1:
                return None, None, None
            case 2:
                text = random.choice(_TEXTS)
                return text, text, None
            case 3:
                whole = random.choice([0, 1, -5, 10**14 + 1, 2**53, random.randrange(10**9)])
                return whole, str(whole), random.choice(_PLAIN_FORMATS)
            case 4:
                number = random.choice(
                    [0.1 + 0.2, 1 / 3, -2.5e-7, 1e-12, round(random.uniform(-1e6, 1e6), 2)]
                )
                return number, _fifteen(number), random.choice(_PLAIN_FORMATS)
            case 5:
                hundredths = random.randrange(-200_000, 200_000)  # of a per cent
                return hundredths / 10_000, _hundredths(hundredths), random.choice(_SHARE_FORMATS)
            case 6:
                return random.choice([day, datetime.combine(day, time())]), str(day), None
            case 7:
                at = datetime.combine(day, clock)
                return at, str(at).removesuffix(" 00:00:00"), None
            case 8:
                error = random.choice(_ERRORS)
                return error, f"\x1a{error}", None
            case _:
                yes = random.random() < 0.5
                formula = f"=A{random.randrange(1, 9)}+1"
                return (
                    (yes, str(yes).lower(), None)
                    if random.random() < 0.6
                    else (formula, f"\x1a{formula}", None)
                )

    def read(self) -> list[Row]:
        """The rows as the platform reads them."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(workbook, "BATCH_ROWS", self.batch)
            batches = list(read_batches(open_source_file(self.path, self.contract)))
        frame = pl.concat(batches) if batches else pl.DataFrame(schema={LINE: pl.Int64})
        return [(row[0], row[1:]) for row in frame.rows()]

    def comes_back(self) -> bool:
        """Whether the platform reads what was put in, and the plain reader agrees where it says something."""
        trimmed = [
            (line, tuple(cell.strip() or None if cell else None for cell in cells))
            for line, cells in self.expected
        ]
        return self.read() == trimmed and all(
            _agrees(cell, other)
            for (_, cells), others in zip(self.expected, self._plain(), strict=True)
            for cell, other in zip(cells, others, strict=False)
        )

    def _plain(self) -> list[Sequence[str | None]]:
        sheet = fastexcel.read_excel(self.path).load_sheet(
            "数据", header_row=None, skip_rows=0, dtypes="string"
        )
        rows = pl.DataFrame(pl.from_arrow(sheet.to_arrow())).rows()
        return [rows[line - 1] if line <= len(rows) else [None] * 4 for line, _ in self.expected]


def _agrees(cell: str | None, plain: str | None) -> bool:
    """Whether both readers say the same: errors, formulas and formats are beyond the plain one."""
    if cell is None or cell.startswith("\x1a"):
        return plain is None
    if plain is None:
        return False
    if cell.endswith("%") and plain != cell:
        return abs(float(cell[:-1]) / 100 - float(plain)) < 1e-9
    if cell.removesuffix("00:00:00").strip() == plain.removesuffix("00:00:00").strip():
        return True
    try:
        return abs(float(cell) - float(plain)) <= 1e-9  # the plain reader writes nine decimals
    except ValueError:
        return cell == plain


def _fifteen(number: float) -> str:
    """Fifteen digits, without an exponent."""
    text = f"{number:.15g}"
    if "e" not in text:
        return text
    digits, exponent = text.lstrip("-").split("e-")
    return "-" * (number < 0) + "0." + "0" * (int(exponent) - 1) + digits.replace(".", "")


def _hundredths(number: int) -> str:
    sign, number = ("-", -number) if number < 0 else ("", number)
    text = f"{number // 100}.{number % 100:02}"
    return f"{sign}{text.rstrip('0').rstrip('.')}%"
