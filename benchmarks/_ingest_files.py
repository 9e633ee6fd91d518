"""Files of due items and payments of any length, the same bytes every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

_TERM = 36
_FIRST_MONTH = np.datetime64("2023-06", "M")
_CHUNK = 500_000


def due_items(path: Path, rows: int, *, first: int = 0) -> Path:
    """Write ``rows`` instalments numbered from ``first`` on, 36 to a facility, in their order."""
    with path.open("wb") as handle:
        for start in range(first, first + rows, _CHUNK):
            number = np.arange(start, min(start + _CHUNK, first + rows))
            random = np.random.default_rng(start)
            principal = random.integers(10_000, 500_000, len(number))
            interest = random.integers(100, 50_000, len(number))
            pl.DataFrame(
                {
                    "due_item_id": _id("D", number),
                    "facility_id": _id("F", number // _TERM),
                    "kind": pl.repeat("instalment", len(number), eager=True),
                    "issued_on": pl.repeat(None, len(number), eager=True),
                    "due_date": _day(number),
                    "amount_due": _money(principal + interest),
                    "principal": _money(principal),
                    "interest": _money(interest),
                    "fee": pl.repeat(None, len(number), eager=True),
                    "currency": pl.repeat("CNY", len(number), eager=True),
                }
            ).write_csv(handle, include_header=start == first)
    return path


def payments(path: Path, rows: int) -> Path:
    """Write ``rows`` payments of the due items, each some days after its due date."""
    with path.open("wb") as handle:
        for start in range(0, rows, _CHUNK):
            number = np.arange(start, min(start + _CHUNK, rows))
            random = np.random.default_rng(start)
            day = _day(number) + random.integers(-3, 20, len(number)).astype("timedelta64[D]")
            second = random.integers(0, 86_400, len(number)).astype("timedelta64[s]")
            pl.DataFrame(
                {
                    "payment_id": _id("P", number),
                    "facility_id": _id("F", number // _TERM),
                    "due_item_id": pl.repeat(None, len(number), eager=True),
                    "value_date": day,
                    "booked_at": pl.Series(
                        (day.astype("datetime64[s]") + second).astype("datetime64[ms]")
                    ).dt.strftime("%Y-%m-%d %H:%M:%S"),
                    "amount": _money(random.integers(10_000, 500_000, len(number))),
                    "currency": pl.repeat("CNY", len(number), eager=True),
                    "reverses_payment_id": pl.repeat(None, len(number), eager=True),
                    "payer": pl.repeat("customer", len(number), eager=True),
                }
            ).write_csv(handle, include_header=start == 0)
    return path


def _id(letter: str, number: np.ndarray) -> pl.Series:
    return (
        pl.Series(number).cast(pl.String).str.zfill(8).to_frame("n").select(letter + pl.col("n"))["literal"]
    )


def _day(number: np.ndarray) -> np.ndarray:
    month = _FIRST_MONTH + (number % _TERM).astype("timedelta64[M]")
    return month.astype("datetime64[D]") + (number // _TERM % 28).astype("timedelta64[D]")


def _money(cents: np.ndarray) -> pl.Series:
    return (pl.Series(cents).cast(pl.Decimal(20, 2)) / 100).cast(pl.Decimal(18, 2))
