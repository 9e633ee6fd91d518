"""Trade credit: invoices, the disputes about some of them, and red-letter items.

Two ways a dispute ends: it is upheld, in whole or in part (a red-letter item takes the credit off
before the invoice falls due), or the claim is rejected and the invoice, withheld meanwhile, is
paid on the day the dispute closes. A red-letter item falls due on the day it is issued, days 1 to
5 of a month whose predecessors are all settled, so it never competes with older open invoices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from creditops.simulate.book.behaviour import Paths
from creditops.simulate.book.due_items import UNPAID, DueItems, new_items
from creditops.simulate.book.events import NEVER
from creditops.simulate.book.facility_plan import FacilityPlan
from creditops.simulate.book.products import INVOICE
from creditops.simulate.world.arrays import Bools, Ints, expand
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.parameters import DEFAULT_STATE
from creditops.simulate.world.randomness import stream

_MONTHS_AHEAD = 3
_LUMP_SHARE = 0.2
_WITHHOLDING_SHARE = 0.3
_WITHHELD, _CREDITED, _RETURNED, _LONG = 0.02, 0.02, 0.01, 0.08
"""Shares of invoices withheld in dispute, credited after a dispute, credited for returned goods
without one; and the share of withheld ones that take over 90 days to resolve."""


def invoices(seed: int, grid: MonthGrid, revenue: Ints, facilities: FacilityPlan, paths: Paths) -> DueItems:
    """Invoices issued by ``as_of``: at least one falls due in each month of a trade account.

    ``revenue`` is each customer's yearly revenue in cents. Nothing is delivered, so nothing is
    invoiced, while a customer is in default.
    """
    rng = stream(seed, "invoices")
    accounts = np.flatnonzero(facilities.kind == INVOICE)
    months = np.maximum(0, grid.count + _MONTHS_AHEAD - facilities.first_due[accounts])
    account, rank = expand(months)
    busy = 1.0 + rng.gamma(2.0, 1.1, accounts.size)
    each, _ = expand(1 + rng.poisson(busy[account]))
    owner = accounts[account[each]]
    month = facilities.first_due[owner] + rank[each]
    due_on = grid.day(month, rng.integers(6, 26, owner.size))
    issued_on = due_on - facilities.terms_days[owner]
    monthly = revenue[facilities.customer[owner]] * 0.012
    amount = np.rint(monthly / (1 + busy[account[each]]) * rng.gamma(3.0, 1 / 3.0, owner.size))
    amount = np.maximum(100_00, amount).astype(np.int64)
    issue_month = grid.month_of(issued_on)
    known = (issued_on <= grid.last_day) & (issue_month >= 0)
    customer = facilities.customer[owner]
    state = paths.past_due[np.clip(issue_month, 0, grid.count - 1), customer]
    kept = known & (state < DEFAULT_STATE)
    nothing = np.zeros(int(kept.sum()), dtype=np.int64)
    return new_items(
        owner[kept], month[kept], 2, issued_on[kept], due_on[kept], (amount[kept], nothing, nothing)
    )


def dispute(
    seed: int, grid: MonthGrid, facilities: FacilityPlan, paths: Paths, items: DueItems
) -> tuple[DueItems, DueItems, pl.DataFrame]:
    """Put disputes on some invoices.

    Parameters
    ----------
    items: invoices with their settlement months.

    Returns
    -------
    The invoices with what disputes change, the red-letter items, and disputes with columns
    facility, due_on, issued_on, item (position among ``items``), opened_on, closed_on (-1 for
    open), amount, outcome.
    """
    rng = stream(seed, "disputes")
    customer = facilities.customer[items.facility]
    withholds = _withholding(rng, facilities, paths)[items.facility]
    chance = rng.random(items.size)
    due_now = items.month < grid.count
    withheld = withholds & due_now & (items.settles == items.month) & (chance < _WITHHELD)
    month_before = np.clip(items.month - 1, 0, grid.count - 1)
    clear = due_now & (paths.past_due[month_before, customer] == 0) & (items.month > 0)
    credited = ~withholds & clear & (chance < _CREDITED + _RETURNED)
    lumped = ~withholds & (_lump(seed, items) < _LUMP_SHARE)
    changed = items.changed(named=~lumped)
    changed, withheld_rows = _withhold(rng, grid, changed, np.flatnonzero(withheld))
    changed, red, credit_rows = _credit(rng, grid, changed, np.flatnonzero(credited), chance)
    return changed, red, pl.concat([withheld_rows, credit_rows]).sort("item")


def opened(disputes: pl.DataFrame) -> pl.DataFrame:
    """Disputes as they were when they were opened, with neither end nor outcome."""
    return disputes.with_columns(
        pl.lit(-1, dtype=pl.Int64).alias("closed_on"), pl.lit(None, dtype=pl.String).alias("outcome")
    )


def _withholding(rng: np.random.Generator, facilities: FacilityPlan, paths: Paths) -> Bools:
    """Accounts that withhold disputed invoices; customers who default do not."""
    performing = paths.past_due.max(axis=0)[facilities.customer] < DEFAULT_STATE
    drawn = (rng.random(facilities.size) < _WITHHOLDING_SHARE) & performing
    return (facilities.kind == INVOICE) & drawn & (paths.written_off[facilities.customer] == NEVER)


def _lump(seed: int, items: DueItems) -> np.ndarray:
    """One draw for each account and settlement month, spread over its items."""
    pair = items.facility * (items.settles.max(initial=0) + 1) + items.settles
    keys, position = np.unique(pair, return_inverse=True)
    return stream(seed, "lump payments").random(keys.size)[position]


def _withhold(
    rng: np.random.Generator, grid: MonthGrid, items: DueItems, chosen: Ints
) -> tuple[DueItems, pl.DataFrame]:
    due_on = items.due_on[chosen]
    n = chosen.size
    days = np.where(rng.random(n) < _LONG, rng.integers(100, 160, n), rng.integers(15, 80, n))
    closed_on = np.where(due_on + days <= grid.last_day, due_on + days, -1)
    pay_day = items.pay_day.copy()
    pay_day[chosen] = np.where(closed_on >= 0, closed_on, UNPAID)
    opened_on = np.minimum(due_on + rng.integers(-5, 4, n), grid.last_day)
    outcome = ["rejected" if day >= 0 else None for day in closed_on.tolist()]
    rows = _rows(chosen, opened_on, closed_on, items.amount[chosen], outcome)
    return items.changed(pay_day=pay_day), rows


def _credit(
    rng: np.random.Generator, grid: MonthGrid, items: DueItems, chosen: Ints, chance: np.ndarray
) -> tuple[DueItems, DueItems, pl.DataFrame]:
    n = chosen.size
    share = np.where(rng.random(n) < 0.15, 1.0, 0.1 + 0.3 * rng.random(n))
    credit = np.maximum(1, np.rint(items.amount[chosen] * share)).astype(np.int64)
    credited = items.credited.copy()
    credited[chosen] = credit
    issued_on = grid.start(items.month[chosen]) + rng.integers(0, 5, n)
    nothing = np.zeros(n, dtype=np.int64)
    red = new_items(
        items.facility[chosen], items.month[chosen], 2, issued_on, issued_on, (-credit, nothing, nothing)
    ).changed(pay_day=np.full(n, UNPAID))
    disputed = chance[chosen] < _CREDITED
    opened_on = issued_on - rng.integers(1, 8, n)
    opened_on = np.maximum(opened_on, items.issued_on[chosen] + 1)
    outcome = ["upheld" if whole else "partial" for whole in (share == 1.0).tolist()]
    rows = _rows(chosen, opened_on, issued_on, credit, outcome).filter(pl.Series(disputed))
    return items.changed(credited=credited), red, rows


def _rows(
    item: Ints, opened_on: Ints, closed_on: Ints, amount: Ints, outcome: Sequence[str | None]
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "item": item,
            "opened_on": opened_on,
            "closed_on": closed_on,
            "amount": amount,
            "outcome": pl.Series(outcome, dtype=pl.String),
        }
    )
