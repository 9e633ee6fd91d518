"""What may be seen of a row that broke its contract, where a source holds personal data (domain.md#masking).

Cells of personal columns are shown as their keyed hash. But a broken row may be a shifted one, with a
name in the column of the sex: so in a source with personal columns a cell that breaks its own rules is
shown as its shape only (``9`` for a digit, ``a`` for a letter), which still says what is wrong with it
(``9,999`` has a grouping mark), and in a row that looks shifted so is every free text.
Sources without personal columns show their cells; in any source what is found to be a personal datum by its
form (:mod:`creditops.personal_data`) is masked, whatever the column is and its contract allows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

import polars as pl

from creditops.ingest.check.privacy import hash_series
from creditops.reading.canonical_cells import FAULT
from creditops.reading.detection import masked_column
from creditops.sources.column import Column
from creditops.sources.contract import Contract

_HARMLESS = re.compile(r"[0-9A-Za-z+-]{0,3}")
_SHOWN_SHAPE = 60  # a longer shape says nothing more


def shape(value: str) -> str:
    """``value`` with every digit as ``9`` and every letter as ``a``; codes of three characters stay."""
    if _HARMLESS.fullmatch(value):
        return value
    drawn = "".join(
        "9" if each.isdigit() else "a" if each.isalpha() else each for each in value[:_SHOWN_SHAPE]
    )
    return drawn + ("…" if len(value) > _SHOWN_SHAPE else "")


def masked_cells(
    frame: pl.DataFrame, contract: Contract, at_fault: Sequence[Set[str]]
) -> list[dict[str, str | None]]:
    """The contract's cells of each row as they may be kept and shown.

    Parameters
    ----------
    at_fault: per row, the columns whose own rules the row breaks.
    """
    cells = frame.select(
        hash_series(frame[column.name], column.pii).alias(column.name)
        if column.pii != "none"
        else shown(frame[column.name])
        for column in contract.columns
    )
    rows = list(cells.iter_rows(named=True))
    personal = {column.name for column in contract.columns if column.pii != "none"}
    if personal:
        for row, faulty in zip(rows, at_fault, strict=True):
            shifted = len(faulty) > 1 or bool(faulty & personal)
            for column in contract.columns:
                value = row[column.name]
                hidden = column.name in faulty or (shifted and _is_free(column, contract))
                if value is not None and column.name not in personal and hidden:
                    row[column.name] = shape(value)
    return rows


def shown(cells: pl.Series) -> pl.Series:
    """Cells of a column that is not personal as the quarantine shows them."""
    # PostgreSQL keeps no NUL character.
    plain = cells.str.strip_prefix(FAULT).str.replace_all("\0", "\N{SYMBOL FOR NULL}", literal=True)
    return masked_column(plain)[0]


def _is_free(column: Column, contract: Contract) -> bool:
    """Whether any text passes the column's rules, so that passing them says nothing."""
    return column.type in ("id", "text", "code") and not column.values and column.name not in contract.key
