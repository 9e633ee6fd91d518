"""Binary floats as the text of what they stand for, where they can stand for it exactly.

Parquet, JSON and spreadsheets keep identifiers and counts as floats as soon as a column has gaps or nobody
said otherwise. A whole one up to 2**53 is that integer; beyond, neighbouring integers are the same float.
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from creditops.errors import DataRefusedError
from creditops.reading.canonical_cells import FAULT
from creditops.sources.column import Column

WHOLE_UP_TO = 2**53
"""Up to where every integer is a double."""
_NARROW: dict[pl.DataType, int] = {pl.Float32(): 2**24, pl.Float16(): 2**11}
_CENTS_UP_TO = 2**46
"""Up to where every cent is a double of its own."""


def is_counted(column: Column) -> bool:
    """Whether a number in this column is an identifier or a count, not a measure."""
    return column.type not in ("money", "rate", "date", "ts")


def whole_up_to(kind: pl.DataType) -> int:
    """Up to where every integer is a float of this kind."""
    return _NARROW.get(kind, WHOLE_UP_TO)


def inexact(name: str, row: int, column: str, value: object) -> DataRefusedError:
    """The refusal of a file with a float where no float can say which number was meant."""
    return DataRefusedError(
        f"{name}: row {row}, column {column!r}: {value} is a binary floating-point number that may stand for "
        "several",
        hint=f"deliver {column!r} as text, or numbers as integers or decimals",
    )


def whole_text(value: Decimal | float) -> str | None:
    """A whole number as an integer; ``None`` if it is none.

    Raises
    ------
    OverflowError: several integers may be meant, or none (infinity).
    """
    number = Decimal(value)
    if abs(number) > WHOLE_UP_TO:
        raise OverflowError
    return str(int(number)) if number == int(number) else None


def cents(cell: pl.Expr) -> pl.Expr:
    """Doubles next to a whole cent as that cent; any other as it is, which is a fault of the row."""
    amount = cell.round(2)
    off = (cell - amount).abs()
    is_cent = (off <= 1e-9 * pl.max_horizontal(cell.abs(), 1.0)) & (off < 1e-3) & (cell.abs() < _CENTS_UP_TO)
    exact = amount.cast(pl.Decimal(38, 2), strict=False).cast(pl.String)
    return pl.when(is_cent).then(exact).otherwise(pl.concat_str(pl.lit(FAULT), cell.cast(pl.String)))


def fifteen_digits(value: float) -> str:
    """A number as a sheet shows it: 0.30000000000000004 is 0.3."""
    text = f"{value:.15g}"
    return f"{Decimal(text):f}" if "e" in text else text
