"""Faults of single cells and rows: a few rows of a file are changed, the others stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from creditops.simulate.faults.fault import Injection
from creditops.simulate.faults.table import Table

Row = list[str]
_FULL_WIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")


def cell(source: str, column: str, change: Callable[[str], str], *also_filled: str) -> Injection:
    """Put ``change(value)`` in place of the value of ``column`` in a few rows."""

    def inject(folder: Path, rng: np.random.Generator) -> int:
        table = Table.read(folder, source)
        chosen = table.some(rng, column, *also_filled)
        for number in chosen:
            table.rows[number][table.place(column)] = change(table.rows[number][table.place(column)])
        table.write()
        return len(chosen)

    return inject


def empty_cell(source: str, column: str, value: str) -> Injection:
    """Put ``value`` into ``column`` of a few rows in which it is empty."""

    def inject(folder: Path, rng: np.random.Generator) -> int:
        table = Table.read(folder, source)
        at = table.place(column)
        fitting = [number for number, row in enumerate(table.rows) if not row[at]]
        chosen = rng.choice(fitting, min(2, len(fitting)), replace=False).tolist()
        for number in chosen:
            table.rows[number][at] = value
        table.write()
        return len(chosen)

    return inject


def row(source: str, change: Callable[[Row, Table], Row], *filled: str) -> Injection:
    """Put ``change(row, table)`` in place of a few rows."""

    def inject(folder: Path, rng: np.random.Generator) -> int:
        table = Table.read(folder, source)
        chosen = table.some(rng, *filled)
        for number in chosen:
            table.rows[number] = change(table.rows[number], table)
        table.write()
        return len(chosen)

    return inject


def repeat(source: str, change: Callable[[Row, Table], Row]) -> Injection:
    """Add a few rows again at the end, as ``change(row, table)``."""

    def inject(folder: Path, rng: np.random.Generator) -> int:
        table = Table.read(folder, source)
        chosen = table.some(rng)
        table.rows += [change(list(table.rows[number]), table) for number in chosen]
        table.write()
        return len(chosen)

    return inject


def every_cell(source: str, column: str, change: Callable[[str], str]) -> Injection:
    """Put ``change(value)`` in place of every value of ``column``; returns the rows of the file."""

    def inject(folder: Path, rng: np.random.Generator) -> int:
        table = Table.read(folder, source)
        for each in table.rows:
            each[table.place(column)] = change(each[table.place(column)])
        table.write()
        return len(table.rows)

    return inject


def decimal_comma(value: str) -> str:
    """12.50 as 12,50."""
    return value.replace(".", ",")


def with_thousands(value: str) -> str:
    """1234.50 as 1,234.50; smaller amounts as 0,012.50."""
    whole, _, part = value.partition(".")
    whole = whole.zfill(4)
    return f"{whole[:-3]},{whole[-3:]}.{part or '00'}"


def full_width(value: str) -> str:
    """Digits as typed with a Chinese input method."""
    return value.translate(_FULL_WIDTH)


def shifted(row: Row, table: Table) -> Row:
    """An empty field in front: every value one column to the right, the last one lost."""
    return ["", *row[:-1]]


def setting(column: str, change: Callable[[str], str]) -> Callable[[Row, Table], Row]:
    """A change of one column of a row."""

    def changed(row: Row, table: Table) -> Row:
        at = table.place(column)
        return [*row[:at], change(row[at]), *row[at + 1 :]]

    return changed


def swapped(one: str, other: str) -> Callable[[Row, Table], Row]:
    """The values of two columns exchanged."""

    def changed(row: Row, table: Table) -> Row:
        first, second = table.place(one), table.place(other)
        row[first], row[second] = row[second], row[first]
        return row

    return changed


def as_reversal(of: Callable[[Row, Table], str]) -> Callable[[Row, Table], Row]:
    """A payment turned into a reversal of the payment that ``of`` names."""

    def changed(row: Row, table: Table) -> Row:
        row[table.place("reverses_payment_id")] = of(row, table)
        at = table.place("amount")
        row[at] = "-" + row[at].lstrip("-")
        return row

    return changed
