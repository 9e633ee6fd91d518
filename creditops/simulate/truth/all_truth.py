"""The hidden truth of a simulated book, which nothing of the platform reads but its tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from creditops.simulate.book.due_items import DueItems
from creditops.simulate.book.facility_plan import FacilityPlan
from creditops.simulate.book.facility_states import FacilityStates
from creditops.simulate.book.payments import Payments
from creditops.simulate.book.products import INVOICE
from creditops.simulate.truth.default_truth import default_episodes, facility_months
from creditops.simulate.truth.settlement_truth import (
    NOTHING_OPEN,
    Ledger,
    Spells,
    fifo_spells,
    join_spells,
    named_spells,
)
from creditops.simulate.world.arrays import Bools, Floats, Ints
from creditops.simulate.world.calendar import MonthGrid


@dataclass(frozen=True)
class FacilityTruth:
    """Default episodes and month-end states of all facilities, as frames of positions."""

    episodes: pl.DataFrame
    months: pl.DataFrame


def facility_truth(
    grid: MonthGrid,
    facilities: FacilityPlan,
    states: FacilityStates,
    items: DueItems,
    payments: Payments,
    disputes: pl.DataFrame,
    card_balances: Floats,
) -> FacilityTruth:
    """Settle every facility by the book and read off its states and default dates."""
    by_name = facilities.kind == INVOICE
    fifo = ledger_of(items, payments, disputes, ~by_name)
    named = ledger_of(items, payments, disputes, by_name)
    everyone = np.arange(facilities.size)
    looks = grid.end(np.arange(grid.count))
    spells: Spells = join_spells(
        [
            fifo_spells(fifo, everyone[~by_name], facilities.opened_on[~by_name]),
            named_spells(named, everyone[by_name], facilities.opened_on[by_name], looks),
        ]
    )
    episodes = default_episodes(spells, states, facilities, items, grid.last_day)
    months = facility_months(grid, facilities, states, items, spells, episodes, card_balances)
    episodes = episodes.with_columns(
        pl.Series("customer", facilities.customer[episodes["facility"].to_numpy()], dtype=pl.Int64)
    )
    return FacilityTruth(episodes=episodes, months=months)


def ledger_of(items: DueItems, payments: Payments, disputes: pl.DataFrame, facilities: Bools) -> Ledger:
    """Ledger of the facilities marked; a dispute that is still open never ends."""
    kept = np.flatnonzero(facilities[items.facility])
    place = np.full(items.size, -1)
    place[kept] = np.arange(kept.size)
    paying = np.flatnonzero(facilities[payments.facility])
    paying = paying[np.argsort(payments.facility[paying], kind="stable")]
    named = payments.item[paying]
    disputed = disputes.filter(pl.Series(facilities[items.facility[disputes["item"].to_numpy()]]))
    closed = disputed["closed_on"].to_numpy()
    return Ledger(
        item_facility=items.facility[kept],
        item_due=items.due_on[kept],
        item_amount=items.amount[kept],
        payment_facility=payments.facility[paying],
        payment_item=np.where(named >= 0, place[named], -1),
        payment_day=payments.value_day[paying],
        payment_amount=payments.amount[paying],
        dispute_item=place[disputed["item"].to_numpy()],
        dispute_from=disputed["opened_on"].to_numpy(),
        dispute_to=np.where(closed >= 0, closed, NOTHING_OPEN),
    )


def customer_pd(grid: MonthGrid, probabilities: pl.DataFrame, months: pl.DataFrame) -> pl.DataFrame:
    """True PDs of customers with an open facility and none in default at the month end."""
    month_end = pl.Series("month_end", grid.end(probabilities["month"].to_numpy()))
    states = months.group_by("customer", "month_end").agg(
        pl.col("status").is_in(["active", "restructured"]).any().alias("open"),
        (pl.col("is_default") & (pl.col("status") != "closed")).any().alias("in_default"),
    )
    performing = states.filter(pl.col("open") & ~pl.col("in_default"))
    known = probabilities.with_columns(month_end).join(performing, on=["customer", "month_end"], how="semi")
    return known.sort("customer", "month_end")


def owing_days(facilities: FacilityPlan, states: FacilityStates, customers: int) -> tuple[Ints, Ints]:
    """First and last day on which each customer has an open facility."""
    first, last = np.full(customers, NOTHING_OPEN), np.full(customers, -1)
    np.minimum.at(first, facilities.customer, facilities.opened_on)
    until = np.where(states.closed_on >= 0, states.closed_on, NOTHING_OPEN)
    np.maximum.at(last, facilities.customer, until)
    return first, last
