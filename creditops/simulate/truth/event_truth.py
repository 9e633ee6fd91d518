"""The truth about injected events: what struck whom and when, and the default that followed."""

from __future__ import annotations

import numpy as np
import polars as pl

from creditops.simulate.book.events import MONTHS_TO_DEFAULT, NEVER, Events
from creditops.simulate.book.facility_plan import FacilityPlan
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.population import Population

_INTEGERS = ("customer", "partner", "group", "event_on", "customers_hit")


def injected_events(
    grid: MonthGrid, population: Population, facilities: FacilityPlan, events: Events, episodes: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row for each event, and one for each customer it struck.

    A contagion is dated by the default of the group's leader, the others by the start of their month.
    ``default_on`` is the first default of the customer on or after the event, -1 for none.
    """
    rows: list[tuple[str, int, int, int, int, int]] = []
    struck: list[tuple[int, int, str]] = []

    def add(kind: str, customer: int, partner: int, group: int, day: int, hit: list[tuple[int, str]]) -> None:
        struck.extend((len(rows), who, role) for who, role in hit)
        rows.append((kind, customer, partner, group, day, sum(role != "leader" for _, role in hit)))

    for kind, start in (
        ("sales_crash", events.crash_from),
        ("bureau_default_elsewhere", events.elsewhere_from),
    ):
        chosen = np.flatnonzero(start < NEVER)
        for customer, day in zip(chosen.tolist(), grid.start(start[chosen]).tolist(), strict=True):
            add(kind, customer, -1, -1, day, [(customer, "struck")])
    cohort = events.fraud.customers[np.isin(events.fraud.customers, facilities.customer)].tolist()
    if cohort:
        day = int(grid.start(np.array([events.fraud.start]))[0])
        add("partner_fraud", -1, events.fraud.partner, -1, day, [(who, "borrower") for who in cohort])
    defaults: list[tuple[int, int]] = episodes.select("customer", "default_on").rows()
    for group, leader in zip(events.contagious_groups.tolist(), events.leaders.tolist(), strict=True):
        stops = int(grid.start(events.shock_from[leader]))
        planned = int(grid.start(events.shock_from[leader] + MONTHS_TO_DEFAULT))
        day = min((day for owner, day in defaults if owner == leader and day >= stops), default=planned)
        members = np.flatnonzero(population.group == group).tolist()
        hit = [(who, "leader" if who == leader else "member") for who in members]
        add("group_contagion", leader, -1, group, day, hit)
    table = pl.DataFrame(
        rows, schema={"kind": pl.String} | dict.fromkeys(_INTEGERS, pl.Int64), orient="row"
    ).with_row_index("drawn")
    ordered = table.sort("event_on", "kind", "customer").with_row_index("event").cast({"event": pl.Int64})
    people = pl.DataFrame(
        struck, schema={"drawn": pl.UInt32, "customer": pl.Int64, "role": pl.String}, orient="row"
    ).join(ordered.select("drawn", "event", "event_on"), on="drawn", maintain_order="left")
    people = _with_default(people, episodes).sort("event", "customer")
    return _with_default(ordered, episodes).sort("event"), people


def _with_default(rows: pl.DataFrame, episodes: pl.DataFrame) -> pl.DataFrame:
    """Add ``default_on``, the first default of ``customer`` on or after ``event_on``, or -1."""
    following = (
        rows.select("event", "customer", "event_on")
        .join(episodes.select("customer", "default_on"), on="customer")
        .filter(pl.col("default_on") >= pl.col("event_on"))
        .group_by("event", "customer")
        .agg(pl.col("default_on").min())
    )
    return rows.join(following, on=["event", "customer"], how="left").with_columns(
        pl.col("default_on").fill_null(-1)
    )
