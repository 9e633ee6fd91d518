"""Monthly revenue of corporates: what their statements and their invoices are both made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from creditops.simulate.book.behaviour import Paths
from creditops.simulate.book.events import Events
from creditops.simulate.world.arrays import Floats, Ints
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.economy import BEFORE, Economy
from creditops.simulate.world.parameters import CORPORATE
from creditops.simulate.world.population import Population
from creditops.simulate.world.randomness import stream

_SEASON = np.array([0.93, 0.84, 0.99, 1.0, 1.01, 1.03, 0.98, 0.99, 1.03, 1.02, 1.06, 1.12])
_STRAIN_EFFECT = 0.11


@dataclass(frozen=True)
class Revenue:
    """Revenue of corporates; arrays (corporates, BEFORE + months), money in cents per month.

    ``trend`` is what the company's costs are made for, ``actual`` what it sells; ``strain`` and
    ``past_due`` are the customer's, as of each month.
    """

    customer: Ints
    trend: Floats
    actual: Floats
    strain: Floats
    past_due: Ints
    crashed: Floats


def draw_revenue(
    seed: int, grid: MonthGrid, economy: Economy, population: Population, paths: Paths, events: Events
) -> Revenue:
    """Growth, season, industry cycle, strain and sales crashes make a company's revenue."""
    rng = stream(seed, "revenue")
    customer = population.members(CORPORATE)
    months = np.arange(-BEFORE, grid.count)
    growth = 0.045 + 0.02 * population.quality[customer] + 0.04 * rng.standard_normal(customer.size)
    trend = population.annual_revenue[customer, None] / 12 * (1 + growth[:, None]) ** (months / 12)
    inside = np.maximum(months, 0)
    strain = paths.strain[inside][:, customer].T
    past_due = np.where(months < 0, 0, paths.past_due[inside][:, customer].T).astype(np.int64)
    crashed = (months >= events.crash_from[customer, None]).astype(np.float64)
    index = economy.industry_index[population.industry[customer]][:, : months.size] / 100
    actual = (
        trend
        * _SEASON[grid.calendar_month(months) - 1]
        * index
        * np.exp(-_STRAIN_EFFECT * strain + 0.04 * rng.standard_normal(strain.shape))
        * (1 - events.crash_depth[customer, None] * crashed)
        * np.where(past_due >= 4, 0.7, 1.0)
    )
    return Revenue(customer, trend, actual, strain, past_due, crashed)
