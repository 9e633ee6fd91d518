"""Resolves relative days and months: the set counts both backwards from each application.

All applications are set on one reference day, the month end after the set was published
(2018-05-17), so that month 0 ends on it.
"""

from __future__ import annotations

from datetime import date

import polars as pl

REFERENCE_DAY = date(2018, 5, 31)
_DAYS = ("DAYS_INSTALMENT", "DAYS_ENTRY_PAYMENT", "DAYS_CREDIT", "DAYS_ENDDATE_FACT")


def dated(rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``<column>_ON`` for each column of relative days and ``MONTH_END`` for relative months.

    What is no number gives null: a day that the contract requires is then quarantined as empty.
    """
    days = [name for name in _DAYS if name in rows.columns]
    rows = rows.with_columns(
        pl.date(REFERENCE_DAY.year, REFERENCE_DAY.month, REFERENCE_DAY.day)
        .dt.offset_by(
            pl.format("{}d", pl.col(name).cast(pl.Float64, strict=False).cast(pl.Int32, strict=False))
        )
        .alias(f"{name}_ON")
        for name in days
    )
    if "MONTHS_BALANCE" not in rows.columns:
        return rows
    months = pl.col("MONTHS_BALANCE").cast(pl.Int32, strict=False)
    first = pl.date(REFERENCE_DAY.year, REFERENCE_DAY.month, 1)
    return rows.with_columns(first.dt.offset_by(pl.format("{}mo", months)).dt.month_end().alias("MONTH_END"))
