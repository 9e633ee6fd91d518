"""Injected events: shocks put into the book on purpose, so that what detects them can be judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from creditops.errors import UsageError
from creditops.simulate.book.facility_plan import FacilityPlan
from creditops.simulate.world.arrays import Bools, Floats, Ints
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.parameters import CORPORATE, RETAIL, SHOCK_MONTHS
from creditops.simulate.world.population import PARTNERS, Population
from creditops.simulate.world.randomness import stream

NEVER = 10_000
"""Month of an event that does not happen."""
MONTHS_TO_DEFAULT = 3
"""Months from a leader's last payment to its default, four rolls counted from the first."""
_SOUND = -1.5
_REDRAWS = 12
_CRASH_SHOCK, _ELSEWHERE_SHOCK, _FRAUD_SHOCK, _LEADER_SHOCK, _MEMBER_SHOCK = 2.6, 2.3, 6.0, 10.0, 2.6


@dataclass(frozen=True)
class EventCounts:
    """How many events of each kind are wanted; None for the usual share of the book.

    ``partner_fraud`` counts borrowers, because one partner commits it; the others count events. There
    are never more than customers (or groups) whom an event can strike.
    """

    sales_crash: int | None = None
    partner_fraud: int | None = None
    group_contagion: int | None = None
    bureau_default_elsewhere: int | None = None

    def of_block(self, first: int, last: int, customers: int) -> EventCounts:
        """The part that falls on customers ``first`` to ``last`` (exclusive) of ``customers``."""
        wanted = {name: count for name, count in vars(self).items() if count is not None}
        return EventCounts(
            **{name: count * last // customers - count * first // customers for name, count in wanted.items()}
        )


DEFAULT_COUNTS = EventCounts()


def parse_counts(wanted: Iterable[str]) -> EventCounts:
    """Counts from texts like ``sales_crash=20``.

    Raises
    ------
    UsageError: an unknown kind, or no whole number from 0 on.
    """
    kinds = tuple(vars(DEFAULT_COUNTS))
    counts: dict[str, int] = {}
    for text in wanted:
        kind, _, number = text.partition("=")
        if kind not in kinds or not number.isdecimal():
            raise UsageError(
                f"{text!r} is no number of events", hint=f"write KIND=N with a kind of {', '.join(kinds)}"
            )
        counts[kind] = int(number)
    return EventCounts(**counts)


@dataclass(frozen=True)
class PartnerFraud:
    """Customers a partner brings in bad faith from ``start`` on, and the month each opens its loan."""

    partner: int
    start: int
    customers: Ints
    months: Ints


@dataclass(frozen=True)
class Events:
    """Shocks per customer, shape (n,): first month and size in the linear predictor.

    ``crash_from`` is the month from which sales have crashed, ``elsewhere_from`` the month from
    which the customer misses payments at another lender, both ``NEVER`` for most; ``crash_depth``
    the share of sales lost. ``contagious_groups`` and ``leaders`` belong together.
    """

    fraud: PartnerFraud
    shock_from: Ints
    shock_size: Floats
    crash_from: Ints
    crash_depth: Floats
    elsewhere_from: Ints
    contagious_groups: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    leaders: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def shock(self, month: int) -> Floats:
        """What events add to each customer's linear predictor in ``month``.

        Who will be struck is sounder than others before, so that an event finds it performing.
        """
        running = (self.shock_from <= month) & (month < self.shock_from + SHOCK_MONTHS)
        before = (month < self.shock_from) & (self.shock_from < NEVER)
        return np.where(running, self.shock_size, np.where(before, _SOUND, 0.0))


def event_months(grid: MonthGrid) -> tuple[int, int]:
    """First and last month (exclusive) in which events start: inside the window, off its edges."""
    first = grid.window_start + grid.window // 6
    return first, max(first + 1, grid.count - max(4, grid.window // 5))


def draw_fraud(
    seed: int,
    grid: MonthGrid,
    population: Population,
    counts: EventCounts = DEFAULT_COUNTS,
    like: PartnerFraud | None = None,
) -> PartnerFraud:
    """One partner brings a cohort of loans, three months long, that were never meant to be paid.

    ``like`` is the fraud of the book's first block: the same partner goes on from the same month.
    """
    rng = stream(seed, "partner fraud")
    eligible = np.flatnonzero(population.has_loan & ~population.has_card)
    usual = max(2, round(population.size * 0.008))
    size = usual if counts.partner_fraud is None else counts.partner_fraud
    cohort = rng.choice(eligible, min(eligible.size, size), replace=False)
    cohort.sort()
    first, last = event_months(grid)
    month = int(rng.integers(first, last))
    partner = int(rng.integers(0, len(PARTNERS)))
    if like is not None:
        month, partner = like.start, like.partner
    return PartnerFraud(
        partner=partner,
        start=month,
        customers=cohort,
        months=np.minimum(month + rng.integers(0, 3, cohort.size), grid.count - 1),
    )


def draw_events(
    seed: int,
    grid: MonthGrid,
    population: Population,
    plan: FacilityPlan,
    fraud: PartnerFraud,
    counts: EventCounts = DEFAULT_COUNTS,
) -> Events:
    """Place the events on customers who have an open facility when their event starts."""
    rng = stream(seed, "events")
    n = population.size
    month = rng.integers(*event_months(grid), n)
    exposed = _exposed(plan, month, n)
    if counts.group_contagion is not None:
        month, exposed = _months_for_groups(rng, grid, population, plan, month, exposed)
    shock_from = np.full(n, NEVER)
    shock_size = np.zeros(n)
    groups, leaders, leader_month = _contagion(rng, population, exposed, month, counts.group_contagion)
    for group, leader, start in zip(groups, leaders, leader_month, strict=True):
        members = np.flatnonzero(population.group == group)
        shock_from[members], shock_size[members] = start + MONTHS_TO_DEFAULT, _MEMBER_SHOCK
        shock_from[leader], shock_size[leader] = start, _LEADER_SHOCK
    free = exposed & (shock_from == NEVER)
    free[fraud.customers] = False
    crashed = _some(
        rng, free & (population.segment == CORPORATE) & (population.group < 0), 0.07, counts.sales_crash
    )
    elsewhere = _some(rng, free & (population.segment == RETAIL), 0.012, counts.bureau_default_elsewhere)
    for chosen, size in ((crashed, _CRASH_SHOCK), (elsewhere, _ELSEWHERE_SHOCK)):
        # The outside sees a crash or a default elsewhere before the first payment here is missed.
        shock_from[chosen], shock_size[chosen] = month[chosen] + 1, size
    shock_from[fraud.customers], shock_size[fraud.customers] = fraud.months, _FRAUD_SHOCK
    return Events(
        fraud=fraud,
        shock_from=shock_from,
        shock_size=shock_size,
        crash_from=np.where(crashed, month, NEVER),
        crash_depth=0.45 + 0.25 * rng.random(n),
        elsewhere_from=np.where(elsewhere, month, NEVER),
        contagious_groups=groups,
        leaders=leaders,
    )


def _exposed(plan: FacilityPlan, month: Ints, customers: int) -> Bools:
    """Whether a customer has a facility planned from well before to well after its month."""
    around = (plan.open_month + 4 <= month[plan.customer]) & (
        plan.planned_last_due() >= month[plan.customer] + 8
    )
    exposed = np.zeros(customers, dtype=bool)
    exposed[plan.customer[around & ~plan.dormant]] = True
    return exposed


def _months_for_groups(
    rng: np.random.Generator,
    grid: MonthGrid,
    population: Population,
    plan: FacilityPlan,
    month: Ints,
    exposed: Bools,
) -> tuple[Ints, Bools]:
    """Draw again for groups of which nobody owes in the month drawn, until most have a leader."""
    for _ in range(_REDRAWS):
        led = np.unique(population.group[exposed & (population.group >= 0)])
        idle = (population.group >= 0) & ~np.isin(population.group, led)
        month = np.where(idle, rng.integers(*event_months(grid), month.size), month)
        exposed = _exposed(plan, month, month.size)
    return month, exposed


def _contagion(
    rng: np.random.Generator, population: Population, exposed: Bools, month: Ints, wanted: int | None
) -> tuple[Ints, Ints, Ints]:
    """Groups struck, the leader of each, and the month the leader stops paying."""
    groups = np.unique(population.group[population.group >= 0])
    with_leader = [g for g in groups if exposed[population.group == g].any()]
    count = min(len(with_leader), max(1, round(0.14 * groups.size)) if wanted is None else wanted)
    struck = np.sort(rng.choice(np.array(with_leader, dtype=np.int64), count, replace=False))
    leaders = np.array(
        [int(np.flatnonzero((population.group == g) & exposed)[0]) for g in struck], dtype=np.int64
    )
    return struck, leaders, month[leaders] if leaders.size else np.zeros(0, dtype=np.int64)


def _some(rng: np.random.Generator, eligible: Bools, share: float, wanted: int | None) -> Bools:
    """As many of the eligible as wanted, else a share of them, at least one where there is one."""
    positions = np.flatnonzero(eligible)
    usual = max(1, round(positions.size * share))
    count = min(positions.size, usual if wanted is None else wanted)
    chosen = np.zeros(eligible.size, dtype=bool)
    chosen[rng.choice(positions, count, replace=False)] = True
    return chosen
