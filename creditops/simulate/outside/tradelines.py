"""Debts of the customers at other lenders, and how they are paid month by month.

The same linear predictor drives payment there and here, so the bureau tells about risk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from creditops.simulate.book.behaviour import Paths
from creditops.simulate.book.events import NEVER, Events
from creditops.simulate.world.arrays import Bools, Bytes, Floats, Ints, expand
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.parameters import CORPORATE, UTILISATION_SWING, of_segment
from creditops.simulate.world.population import Population
from creditops.simulate.world.randomness import stream

HISTORY = 24
"""Months of status history in a report, and of zeros kept before month 0."""
WRITTEN_OFF_STATUS = 8
_ROLL = np.array([-4.4, -1.5, -0.4, 0.3, 1.2, 1.5, 2.0, 2.0])
_RECOVERS, _INFLUENCE, _SPILL = 0.75, 0.8, 1.0
_RETAIL_KINDS = ("consumer_loan", "credit_card", "mortgage", "auto_loan")
_CORPORATE_KINDS = ("term_loan", "credit_line", "equipment_lease", "guarantee_line")
KINDS = _RETAIL_KINDS + _CORPORATE_KINDS
LENDERS = ("bank", "consumer_finance", "internet_lender", "leasing", "trust")
_REVOLVING = np.array([False, True, False, False, False, True, False, True])
_TYPICAL = np.array([3.0, 2.5, 60.0, 10.0, 0.08, 0.06, 0.05, 0.04])
"""Typical limit: multiples of monthly income (retail) or of yearly revenue (corporate)."""


@dataclass(frozen=True)
class Tradelines:
    """Tradelines ordered by customer, arrays (lines,), money in cents, months of the grid.

    ``status`` (HISTORY + months, lines) is months past due at each month end, 8 for written off;
    row HISTORY is month 0. ``closed_month`` is ``NEVER`` while open.
    """

    customer: Ints
    kind: Ints
    lender: Ints
    opened_on: Ints
    opened_month: Ints
    term: Ints
    limit: Ints
    guarantee: Bools
    closed_month: Ints
    status: Bytes

    @property
    def revolving(self) -> Bools:
        return _REVOLVING[self.kind]


def draw_tradelines(
    seed: int, grid: MonthGrid, population: Population, paths: Paths, events: Events
) -> Tradelines:
    """Draw each customer's tradelines and run their payment status over all months."""
    rng = stream(seed, "tradelines")
    corporate = population.segment >= CORPORATE
    customer, rank = expand(1 + rng.poisson(np.where(corporate, 2.2, 1.7)))
    n = customer.size
    firm = corporate[customer]
    kind = np.where(firm, 4, 0) + rng.choice(4, n, p=[0.42, 0.36, 0.09, 0.13])
    struck = (rank == 0) & (events.elsewhere_from[customer] < NEVER)
    opened_month = rng.integers(-48, grid.count, n)
    opened_month = np.where(
        struck, np.minimum(opened_month, events.elsewhere_from[customer] - 12), opened_month
    )
    term = np.where(_REVOLVING[kind] | struck, NEVER, rng.choice([12, 24, 36, 60], n))
    base = np.where(firm, population.annual_revenue[customer], population.income[customer])
    limit = np.rint(base * _TYPICAL[kind] * np.exp(0.5 * rng.standard_normal(n)) / 100_000) * 100_000
    status, closed_month = _pay(rng, grid, population, paths, events, customer, opened_month, term, struck)
    return Tradelines(
        customer=customer,
        kind=kind.astype(np.int64),
        lender=rng.choice(len(LENDERS), n, p=[0.5, 0.2, 0.15, 0.1, 0.05]).astype(np.int64),
        opened_on=grid.day(opened_month, rng.integers(1, 29, n)),
        opened_month=opened_month,
        term=term,
        limit=np.maximum(100_000, limit).astype(np.int64),
        guarantee=rng.random(n) < np.where(firm, 0.12, 0.03),
        closed_month=closed_month,
        status=status,
    )


def _pay(
    rng: np.random.Generator,
    grid: MonthGrid,
    population: Population,
    paths: Paths,
    events: Events,
    customer: Ints,
    opened_month: Ints,
    term: Ints,
    struck: Bools,
) -> tuple[Bytes, Ints]:
    n = customer.size
    swing = (of_segment("utilisation", population.segment) * UTILISATION_SWING)[customer]
    quirk = 0.5 * rng.standard_normal(n)
    status = np.zeros((HISTORY + grid.count, n), dtype=np.uint8)
    closed_month = np.full(n, NEVER)
    now = np.zeros(n, dtype=np.int64)
    past_due = paths.past_due
    for month in range(grid.count):
        predictor: Floats = population.static[customer] + swing * paths.strain[month, customer] + quirk
        spill = _SPILL * np.minimum(past_due[month, customer], 2)
        hazard = 1 / (1 + np.exp(-(_ROLL[np.minimum(now, 7)] + _INFLUENCE * predictor + spill)))
        chance, choice = rng.random((2, n))
        running = (opened_month < month) & (closed_month == NEVER)
        forced = struck & (month >= events.elsewhere_from[customer])
        rolls = running & ((chance < hazard) | forced)
        recovers = running & ~rolls & (now < WRITTEN_OFF_STATUS) & (choice < _RECOVERS)
        now = np.where(rolls, np.minimum(now + 1, WRITTEN_OFF_STATUS), np.where(recovers, 0, now))
        repaid = running & (now == 0) & (month >= opened_month + term)
        closed_month = np.where(repaid, month, closed_month)
        status[HISTORY + month] = now
    return status, closed_month
