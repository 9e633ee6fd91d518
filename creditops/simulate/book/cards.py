"""Card balances, limits and month-end snapshots.

Utilisation is a logistic function of habit, strain and arrears: the same habit and strain that
raise the hazard. ``payments`` carry what is collected against the minimum payment; a snapshot's
``amount_paid`` is everything paid in the month, so it is never less.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from creditops.simulate.book.behaviour import Paths
from creditops.simulate.book.facility_plan import FacilityPlan
from creditops.simulate.book.products import CARD
from creditops.simulate.world.arrays import Bools, Floats, Ints
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.parameters import UTILISATION_SWING
from creditops.simulate.world.population import Population
from creditops.simulate.world.randomness import stream

_CENTRE, _ARREARS_PUSH, _OVER_LIMIT = -0.75, 0.30, 1.06
_FROZEN_STATE, _FROZEN_INTEREST, _FROZEN_CAP = 2, 1.012, 1.25
_RAISE = 1.3
_IN_FULL = 0.75
"""Who would pay more than this share of the balance pays all of it."""
_NO_USE, _PAID, _REVOLVING, _LOST = "no_use", "paid_in_full", "revolving", "written_off"


def card_limits(grid: MonthGrid, facilities: FacilityPlan, paths: Paths) -> tuple[Floats, Ints]:
    """Credit limit in cents at each month end (months, facilities), and the month of a raise.

    A raise that was planned happens only where nothing is past due; -1 elsewhere.
    """
    month = facilities.raise_month
    planned = (month >= 0) & (month < np.minimum(grid.count, facilities.last_due))
    raised = np.full(facilities.size, -1)
    at = np.flatnonzero(planned)
    current = paths.past_due[month[at], facilities.customer[at]] == 0
    raised[at[current]] = month[at[current]]
    months = np.arange(grid.count)[:, None]
    factor = np.where((raised >= 0) & (months >= raised), _RAISE, 1.0)
    return np.rint(facilities.credit_limit * factor / 100_000) * 100_000, raised


def card_balances(
    seed: int,
    grid: MonthGrid,
    population: Population,
    facilities: FacilityPlan,
    paths: Paths,
    limits: Floats,
) -> Floats:
    """Card balances in cents at each month end, shape (months, facilities); 0 where no used card is."""
    rng = stream(seed, "card balances")
    cards = np.flatnonzero((facilities.kind == CARD) & ~facilities.dormant)
    customer = facilities.customer[cards]
    balances = np.zeros((grid.count, facilities.size))
    past_due = paths.past_due
    before = np.zeros(cards.size)
    for month in range(grid.count):
        state = np.minimum(past_due[month, customer], 3)
        logit = (
            _CENTRE
            + population.habit[customer]
            + UTILISATION_SWING * paths.strain[month, customer]
            + _ARREARS_PUSH * state
            + 0.15 * rng.standard_normal(cards.size)
        )
        used = np.rint(limits[month, cards] * _OVER_LIMIT / (1 + np.exp(-logit)))
        used = np.where(facilities.open_month[cards] == month, np.rint(0.4 * used), used)
        frozen = np.minimum(np.rint(before * _FROZEN_INTEREST), limits[month, cards] * _FROZEN_CAP)
        balance = np.where(state >= _FROZEN_STATE, np.maximum(frozen, before), used)
        balance = np.where(facilities.open_month[cards] <= month, balance, 0)
        balances[month, cards] = balance
        before = balance
    return balances


def snapshots(
    seed: int,
    grid: MonthGrid,
    population: Population,
    facilities: FacilityPlan,
    paths: Paths,
    limits: Floats,
    balances: Floats,
    collected: Floats,
    closed_on: Ints,
    written_off: Bools,
) -> pl.DataFrame:
    """Rows of ``facility_snapshots`` for cards open at each month end, and at their write-off.

    ``collected`` (months, facilities) is what ``payments`` hold per month, in cents.
    """
    rng = stream(seed, "card payments")
    cards = np.flatnonzero(facilities.kind == CARD)
    appetite = 1.3 * population.quality + 1.4 * rng.standard_normal(population.size) - 1.3
    frames = []
    for month in range(grid.count):
        end = int(grid.end(np.array([month]))[0])
        closing = closed_on[cards]
        lost_now = written_off[cards] & (closing == end)
        held = (closing < 0) | (closing > end) | lost_now
        place = np.flatnonzero((facilities.opened_on[cards] <= end) & held)
        owner = cards[place]
        customer = facilities.customer[owner]
        previous = balances[month - 1, owner] if month else np.zeros(owner.size)
        share = 1 / (1 + np.exp(-(appetite[customer] - 0.7 * paths.strain[month, customer])))
        share = np.where(share > _IN_FULL, 1.0, share)
        current = paths.settled_through[month, customer] == month
        wanted = np.where(current, np.rint(share * previous), 0.0)
        collected_now = np.maximum(collected[month, owner], 0.0)
        frames.append(
            pl.DataFrame(
                {
                    "facility": owner,
                    "month_end": np.full(owner.size, end),
                    "balance": balances[month, owner],
                    "credit_limit": limits[month, owner],
                    "amount_paid": np.maximum(wanted, collected_now),
                    "lost": lost_now[place],
                    "unused": facilities.dormant[owner],
                    "in_full": current & (previous > 0) & (share == 1.0),
                }
            )
        )
    status = (
        pl.when("lost")
        .then(pl.lit(_LOST))
        .when("unused")
        .then(pl.lit(_NO_USE))
        .when("in_full")
        .then(pl.lit(_PAID))
        .otherwise(pl.lit(_REVOLVING))
    )
    return pl.concat(frames).with_columns(status.alias("status"))
