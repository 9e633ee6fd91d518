"""VAT invoices of a third of the corporates: what they sell and buy, month by month."""

from __future__ import annotations

import numpy as np
import polars as pl

from creditops.simulate.book.events import NEVER
from creditops.simulate.outside.revenue import Revenue
from creditops.simulate.world.arrays import Ints, expand
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.economy import BEFORE
from creditops.simulate.world.randomness import stream

_DELIVERING_SHARE = 1 / 3
_TAX_RATES, _TAX_SHARES = np.array([13, 9, 6, 3]), np.array([0.6, 0.15, 0.15, 0.1])
_VOID, _RED = 0.025, 0.012
_COUNTERPARTIES = 100_000


def sme_invoices_table(
    seed: int, grid: MonthGrid, revenue: Revenue, crash_from: Ints, written_off: Ints
) -> pl.DataFrame:
    """Rows of ``sme_invoices`` for the months of the window, ordered by customer and day.

    ``crash_from`` and ``written_off`` have shape (corporates,). Two thirds of the companies whose
    sales crash deliver invoices, so that the crash can be seen in them.
    """
    rng = stream(seed, "sme invoices")
    n = revenue.customer.size
    chance = np.where(crash_from < NEVER, 2 / 3, _DELIVERING_SHARE)
    delivering = np.flatnonzero(rng.random(n) < chance)
    frames = []
    for direction, share, volume in (("sale", 0.55, 1.0), ("purchase", 0.45, 0.72)):
        rate = rng.uniform(10, 30, delivering.size) * share
        frames.append(_direction(rng, grid, revenue, delivering, direction, rate, volume, written_off))
    return pl.concat(frames).sort("customer", "issued_on", "direction", "invoice_no")


def _direction(
    rng: np.random.Generator,
    grid: MonthGrid,
    revenue: Revenue,
    delivering: Ints,
    direction: str,
    rate: np.ndarray,
    volume: float,
    written_off: Ints,
) -> pl.DataFrame:
    months = np.arange(grid.window_start, grid.count)
    company = np.repeat(np.arange(delivering.size), months.size)
    month = np.tile(months, delivering.size)
    actual = revenue.actual[delivering[company], month + BEFORE]
    level = actual / revenue.trend[delivering[company], month + BEFORE]
    trading = month <= written_off[delivering[company]]
    count = np.where(trading, 1 + rng.poisson(rate[company] * np.sqrt(level)), 0)
    pair, rank = expand(count)
    size = rng.gamma(0.9, 1.0, pair.size)
    total = np.bincount(pair, weights=size, minlength=company.size)
    taxed = actual[pair] * volume * size / total[pair]
    amount = np.maximum(1_00, np.rint(taxed)).astype(np.int64)
    owner = delivering[company[pair]]
    trouble = np.maximum(0, revenue.strain[owner, month[pair] + BEFORE])
    red = rng.random(pair.size) < _RED
    amount = np.where(red, -(amount // 3 + 1), amount)
    percent = rng.choice(_TAX_RATES, delivering.size, p=_TAX_SHARES)[company[pair]]
    tax = np.rint(amount * percent / 100).astype(np.int64)
    void = rng.random(pair.size) < _VOID * (1 + 0.8 * trouble)
    day = grid.day(month[pair], rng.integers(1, 29, pair.size))
    partners = rng.integers(4, 26, delivering.size)[company[pair]]
    skew = rng.uniform(1.0, 3.5, delivering.size)[company[pair]]
    choice = (partners * rng.random(pair.size) ** skew).astype(np.int64)
    offset = 0 if direction == "sale" else 7919
    counterparty = (revenue.customer[owner] * 7_907 + choice * 104_729 + offset) % _COUNTERPARTIES
    serial = rng.integers(0, 9_000_000, delivering.size)[company[pair]] + 10_000_000
    number = serial + (month[pair] - grid.window_start) * 997 + rank
    return pl.DataFrame(
        {
            "customer": revenue.customer[owner],
            "direction": [direction] * pair.size,
            "invoice_no": number,
            "issued_on": day,
            "counterparty": counterparty,
            "amount": amount,
            "tax": tax,
            "total": amount + tax,
            "status": np.where(void, "void", "valid").tolist(),
        },
        schema_overrides={"direction": pl.String},
    )
