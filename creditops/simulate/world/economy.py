"""The economy around the book: one downturn factor, and the series that show it.

Macro and industry series are published with a lag, so a reader must use ``published_on``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from creditops.simulate.world.arrays import Floats, Ints
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.population import INDUSTRIES
from creditops.simulate.world.randomness import stream

BEFORE = 24
"""Months of series before the first simulated one."""
AHEAD = 12
"""Months of the downturn factor after ``as_of``; they enter the true PD, never a series."""
_CYCLE_MONTHS, _WORST_BEFORE_END = 48, 18

_MACRO = (  # name, mean, change per unit of downturn, noise, publication lag in days
    ("gdp_yoy", 0.050, -0.009, 0.002, 18),
    ("pmi_manufacturing", 50.2, -1.1, 0.35, 1),
    ("cpi_yoy", 0.012, -0.004, 0.002, 10),
    ("unemployment_urban", 0.051, 0.003, 0.0008, 16),
    ("m2_yoy", 0.085, 0.006, 0.003, 13),
    ("lpr_1y", 0.0345, -0.002, 0.0, 0),
    ("retail_sales_yoy", 0.045, -0.012, 0.006, 16),
    ("house_price_index", 100.0, -2.2, 0.5, 17),
)
_INDUSTRY_CYCLE = np.array([4.0, 4.5, 6.0, 3.5, 3.0, 8.0, 2.0, 6.5])


@dataclass(frozen=True)
class Economy:
    """Downturn factor (months ``-BEFORE`` to ``count + AHEAD - 1``) and industry indices.

    ``downturn`` has mean 0 and a scale of about 1, positive being bad times;
    ``industry_index`` has shape (industries, months), 100 being normal.
    """

    downturn: Floats
    industry_index: Floats

    def downturn_at(self, month: Ints | int) -> Floats:
        """Downturn factor in simulation months."""
        return self.downturn[np.asarray(month) + BEFORE]


def draw_economy(seed: int, grid: MonthGrid) -> Economy:
    """A four-year cycle, worst a year and a half before the end, with noise; industry indices."""
    rng = stream(seed, "economy")
    months = BEFORE + grid.count + AHEAD
    noise = _persistent(rng, (1, months), 0.85)[0]
    worst = BEFORE + grid.count - _WORST_BEFORE_END
    cycle = np.cos(2 * np.pi * (np.arange(months) - worst) / _CYCLE_MONTHS)
    downturn = 0.85 * cycle + 0.3 * noise
    own = _persistent(rng, (len(INDUSTRIES), months), 0.92)
    index = 100 - _INDUSTRY_CYCLE[:, None] * (0.8 * downturn + 0.5 * own)
    return Economy(downturn=downturn, industry_index=index)


def _persistent(rng: np.random.Generator, shape: tuple[int, int], persistence: float) -> Floats:
    innovations = rng.standard_normal(shape)
    path = np.empty(shape)
    path[:, 0] = innovations[:, 0]
    for month in range(1, shape[1]):
        path[:, month] = (
            persistence * path[:, month - 1] + np.sqrt(1 - persistence**2) * innovations[:, month]
        )
    return path


def macro_series(seed: int, grid: MonthGrid, economy: Economy) -> pl.DataFrame:
    """Rows (series_id, industry, period, value, published_on) published by ``as_of``."""
    rng = stream(seed, "macro series")
    months = np.arange(-BEFORE, grid.count)
    frames = []
    for name, mean, slope, noise, lag in _MACRO:
        value = mean + slope * economy.downturn_at(months) + noise * rng.standard_normal(months.size)
        frames.append(_series(name, None, grid, months, value, lag))
    return _published(frames, grid)


def industry_series(grid: MonthGrid, economy: Economy) -> pl.DataFrame:
    """One prosperity index per industry; columns as :func:`macro_series`."""
    months = np.arange(-BEFORE, grid.count)
    frames = [
        _series(f"prosperity_{industry}", industry, grid, months, index[months + BEFORE], 22)
        for industry, index in zip(INDUSTRIES, economy.industry_index, strict=True)
    ]
    return _published(frames, grid)


def _series(
    name: str, industry: str | None, grid: MonthGrid, months: Ints, value: Floats, lag: int
) -> pl.DataFrame:
    period = grid.end(months)
    return pl.DataFrame(
        {
            "series_id": [name] * months.size,
            "industry": pl.Series([industry] * months.size, dtype=pl.String),
            "period": period,
            "value": np.round(value, 5),
            "published_on": period + lag + (months % 3),
        }
    )


def _published(frames: list[pl.DataFrame], grid: MonthGrid) -> pl.DataFrame:
    return pl.concat(frames).filter(pl.col("published_on") <= grid.last_day)
