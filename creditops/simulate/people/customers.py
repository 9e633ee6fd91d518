"""Rows of ``customers`` and ``groups``."""

from __future__ import annotations

import numpy as np
import polars as pl

from creditops.simulate.people import identity
from creditops.simulate.world.arrays import Ints
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.parameters import RETAIL
from creditops.simulate.world.population import INDUSTRIES, REGIONS, Population
from creditops.simulate.world.randomness import stream

_MOVERS = 0.02


def registration_days(seed: int, population: Population, first_applied: Ints) -> Ints:
    """Day each customer was registered: the day of its first application or up to a year before."""
    rng = stream(seed, "registration")
    at_once = rng.random(population.size) < 0.6
    return first_applied - np.where(at_once, 0, rng.integers(1, 365, population.size))


def customers_table(seed: int, grid: MonthGrid, population: Population, registered_on: Ints) -> pl.DataFrame:
    """Rows of ``customers`` with PII in plain text, ordered by customer and effective date.

    One row from registration; a few customers have a second row after they moved.
    """
    rng = stream(seed, "identity")
    retail = population.segment == RETAIL
    people, firms = np.flatnonzero(retail), np.flatnonzero(~retail)
    n = population.size
    birth = grid.last_day - population.age * 365 - rng.integers(0, 365, n)
    name = identity.person_names(rng, population.female[people])
    name += identity.company_names(rng, population.region[firms], population.industry[firms])
    number = identity.person_ids(rng, population.region[people], birth[people], population.female[people])
    number += identity.company_ids(rng, population.region[firms])
    region = np.array(REGIONS)
    frame = pl.DataFrame(
        {
            "customer": np.arange(n),
            "customer_type": np.where(retail, "retail", "corporate").tolist(),
            "name": name,
            "national_id": number,
            "phone": identity.phones(rng, n),
            "address": identity.addresses(rng, population.region),
            "birth_date": np.where(retail, birth, -1),
            "sex": np.where(population.female, "female", "male").tolist(),
            "region": region[population.region].tolist(),
            "industry": np.array([*INDUSTRIES, ""])[population.industry].tolist(),
            "group": population.group,
            "registered_on": registered_on,
            "monthly_income": np.where(retail, population.income, -1),
            "employees": np.where(retail, -1, population.employees),
            "is_staff": population.is_staff,
            "effective_date": registered_on,
        }
    ).with_columns(
        pl.when(pl.col("customer_type") == "retail").then(pl.col("sex")),
        pl.when(pl.col("industry") != "").then(pl.col("industry")),
    )
    return pl.concat([frame, _moves(seed, grid, frame, population)]).sort("customer", "effective_date")


def _moves(seed: int, grid: MonthGrid, frame: pl.DataFrame, population: Population) -> pl.DataFrame:
    rng = stream(seed, "moves")
    registered_on = frame["registered_on"].to_numpy()
    moved = (population.segment == RETAIL) & (rng.random(population.size) < _MOVERS)
    moved &= registered_on < grid.last_day - 60
    who = np.flatnonzero(moved)
    days = 30 + (rng.random(who.size) * (grid.last_day - registered_on[who] - 30)).astype(np.int64)
    region = rng.integers(0, len(REGIONS), who.size)
    return frame[who].with_columns(
        pl.Series("address", identity.addresses(rng, region), dtype=pl.String),
        pl.Series("phone", identity.phones(rng, who.size), dtype=pl.String),
        pl.Series("region", [REGIONS[code] for code in region.tolist()], dtype=pl.String),
        pl.Series("effective_date", registered_on[who] + days, dtype=pl.Int64),
    )


def groups_table(seed: int, population: Population, registered_on: Ints) -> pl.DataFrame:
    """Rows of ``groups``; every fourth group belongs to the one before it."""
    rng = stream(seed, "groups")
    groups = np.unique(population.group[population.group >= 0])
    first = np.full(groups.size, np.iinfo(np.int64).max)
    inside = population.group >= 0
    np.minimum.at(first, population.group[inside], registered_on[inside])
    letters = rng.integers(0, 16, (groups.size, 2)).tolist()
    brands = "华盛泰鑫恒瑞信宏嘉博远达诚隆兴德"
    return pl.DataFrame(
        {
            "group": groups,
            "name": [f"{brands[a]}{brands[b]}集团" for a, b in letters],
            "parent": np.where((groups % 4 == 3), groups - 1, -1),
            "effective_date": first,
        },
        schema_overrides={"name": pl.String},
    )
