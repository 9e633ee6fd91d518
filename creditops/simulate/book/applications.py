"""Applications: one row for every stage an application reached, those declined included."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from creditops.simulate.book.facility_plan import FacilityPlan
from creditops.simulate.book.products import CARD, PRODUCTS
from creditops.simulate.world.arrays import Bools, Floats, Ints, expand
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.parameters import CORPORATE
from creditops.simulate.world.population import Population
from creditops.simulate.world.randomness import stream

STAGES = ("applied", "reviewing", "approved", "contracted", "disbursed", "declined", "cancelled")
_BOOKED, _DECLINED, _CANCELLED, _PENDING = (0, 1, 2, 3, 4), (0, 1, 5), (0, 1, 6), (0, 1)
_PATHS = (_BOOKED, _DECLINED, _CANCELLED, _PENDING)
_MEDIAN_HOURS = np.array([0.0, 6.0, 20.0, 26.0, 18.0, 16.0, 30.0])
"""Median hours a stage takes to be reached from the one before."""
_POLICIES = (
    ("CP-2022.1", date(2000, 1, 1)),
    ("CP-2024.1", date(2024, 1, 1)),
    ("CP-2025.1", date(2025, 1, 1)),
)
"""Policy versions and the day from which each is in force, as ``creditops/policy/versions/demo`` has them."""
_REASONS = ("income_insufficient", "bureau_record", "score_low", "limit_exceeded", "fraud_suspected")
_DECIDED, _OVERRIDES = ("rule", "model", "manual"), ("none", "up", "down")
_SLOW_PARTNER = 5
_DAY_SECONDS = 86_400


def applied_seconds(seed: int, facilities: FacilityPlan) -> tuple[Floats, Ints]:
    """Second of each stage (facilities, 5) since 1970 for applications that became facilities.

    Disbursement is on the opening day; the second value is the day applied.
    """
    rng = stream(seed, "booked applications")
    n = facilities.size
    hours = _hours(rng, facilities.partner, n)[:, list(_BOOKED)]
    done = facilities.opened_on * _DAY_SECONDS + rng.integers(1 * 3600, 10 * 3600, n)
    after = np.cumsum(hours[:, ::-1], axis=1)[:, ::-1]
    stages = np.column_stack([done[:, None] - after[:, 1:] * 3600, done])
    return np.floor(stages), (stages[:, 0] // _DAY_SECONDS).astype(np.int64)


def _hours(rng: np.random.Generator, partner: Ints, n: int) -> Floats:
    """Hours to reach each stage from the one before, shape (n, stages)."""
    noise = rng.lognormal(0.0, 0.55, (n, len(STAGES)))
    slow = np.where(partner == _SLOW_PARTNER, 2.2, 1.0)
    return np.maximum(0.05, _MEDIAN_HOURS * noise * slow[:, None])


def applications_table(
    seed: int,
    grid: MonthGrid,
    population: Population,
    facilities: FacilityPlan,
    booked_seconds: Floats,
    registered_on: Ints,
) -> pl.DataFrame:
    """Rows of ``applications`` with positions for customer and facility, ordered by application.

    Columns: application (position), facility (-1 where none came of it), customer, product,
    partner, applied_at and stage_at (seconds since 1970), money in cents.
    """
    rng = stream(seed, "applications")
    n, refused = facilities.size, max(1, int(0.4 * facilities.size))
    customer = np.concatenate([facilities.customer, rng.integers(0, population.size, refused)])
    total = n + refused
    booked = np.arange(total) < n
    fate = np.where(booked, 0, rng.choice([1, 2, 3], total, p=[0.76, 0.22, 0.02]))
    corporate = population.segment[customer] >= CORPORATE
    other = np.where(corporate, rng.integers(4, 6, total), rng.integers(0, 4, total))
    product = np.concatenate([facilities.product, other[n:]])
    partner = np.concatenate([facilities.partner, population.partner[customer[n:]]])
    amount = _amounts(rng, population, facilities, customer, product)
    stages = np.full((total, 5), np.inf)
    stages[:n] = booked_seconds
    stages[n:, :3] = _refused_seconds(rng, grid, fate[n:], partner[n:], registered_on[customer[n:]])
    order = np.lexsort((np.arange(total), stages[:, 0]))
    decided_by = rng.choice(3, total, p=[0.35, 0.45, 0.20])
    override = np.where((decided_by == 2) & (rng.random(total) < 0.3), rng.integers(1, 3, total), 0)
    override = np.where(fate == 0, np.where(override == 2, 0, override), np.where(override == 1, 0, override))
    term = np.concatenate([facilities.last_due - facilities.open_month, rng.choice([12, 24, 36], refused)])
    loan = np.isin(product, [0, 1, 4, 5])
    policy = _policy((stages[:, 0] // _DAY_SECONDS).astype(np.int64))

    length = np.array([len(path) for path in _PATHS])[fate[order]]
    row, rank = expand(length)
    at = order[row]
    paths = np.array([[*path, *[-1] * (5 - len(path))] for path in _PATHS])
    stage = paths[fate[at], rank]
    decided = rank >= 2
    approved = decided & (fate[at] == 0)
    declined = decided & (fate[at] == 1)
    frame = pl.DataFrame(
        {
            "application": row,
            "facility": np.where(booked[at], at, -1),
            "customer": customer[at],
            "product_id": np.array([p.product_id for p in PRODUCTS])[product[at]].tolist(),
            "partner": partner[at],
            "applied_at": stages[at, 0].astype(np.int64),
            "requested_amount": amount[at],
            "term_months": np.where(loan[at], term[at], -1),
            "stage": np.array(STAGES)[stage].tolist(),
            "stage_at": stages[at, rank].astype(np.int64),
            "decision_amount": np.where(approved, _granted(facilities, at, booked), -1),
            "decided_by": np.array(_DECIDED)[decided_by[at]].tolist(),
            "override": np.array(_OVERRIDES)[override[at]].tolist(),
            "policy_version": np.array([name for name, _ in _POLICIES])[policy[at]].tolist(),
            "reason": np.array(_REASONS)[rng.integers(0, len(_REASONS), total)[at]].tolist(),
            "decided": approved | declined,
            "declined": declined,
        }
    )
    return frame.with_columns(
        pl.when(pl.col("decided")).then(pl.col("decided_by")),
        pl.when(pl.col("decided")).then(pl.col("override")),
        pl.when(pl.col("declined")).then(pl.col("reason")),
    ).filter(pl.col("stage_at") < (grid.last_day + 1) * _DAY_SECONDS - 8 * 3600)


def _amounts(
    rng: np.random.Generator, population: Population, facilities: FacilityPlan, customer: Ints, product: Ints
) -> Ints:
    granted = np.where(facilities.principal > 0, facilities.principal, facilities.credit_limit)
    asked = granted * np.where(rng.random(facilities.size) < 0.3, 1.25, 1.0)
    rest = customer[facilities.size :]
    corporate = population.segment[rest] >= CORPORATE
    wanted = np.where(corporate, population.annual_revenue[rest] * 0.2, population.income[rest] * 6.0)
    unit = np.where(np.concatenate([granted > 50_000_000, corporate]), 1_000_000, 100_000)
    return (np.maximum(1, np.rint(np.concatenate([asked, wanted]) / unit)) * unit).astype(np.int64)


def _granted(facilities: FacilityPlan, at: Ints, booked: Bools) -> Ints:
    granted = np.where(facilities.kind == CARD, facilities.credit_limit, facilities.principal)
    granted = np.where(granted > 0, granted, facilities.credit_limit)
    return np.where(booked[at], granted[np.minimum(at, facilities.size - 1)], -1)


def _refused_seconds(
    rng: np.random.Generator, grid: MonthGrid, fate: Ints, partner: Ints, registered_on: Ints
) -> Floats:
    """Seconds of the three stages (n, 3) of applications without a facility."""
    n = fate.size
    latest = grid.last_day - 12
    pending = fate == 3
    day = registered_on + 1 + (rng.random(n) * np.maximum(1, latest - registered_on)).astype(np.int64)
    day = np.where(pending, grid.last_day - rng.integers(1, 4, n), np.minimum(day, latest))
    first = np.maximum(day, registered_on + 1) * _DAY_SECONDS + rng.integers(0, 10 * 3600, n)
    hours = _hours(rng, partner, n)
    last = np.where(fate == 1, hours[:, 5], hours[:, 6])
    return np.floor(np.column_stack([first, first + hours[:, 1] * 3600, first + (hours[:, 1] + last) * 3600]))


def _policy(applied_on: Ints) -> Ints:
    starts = np.array([(day - date(1970, 1, 1)).days for _, day in _POLICIES])
    return np.searchsorted(starts, applied_on, side="right") - 1
