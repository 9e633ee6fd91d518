"""How customers pay, month by month: the process whose fourth roll into arrears is default.

Each month an exposed customer rolls (pays nothing), pays the oldest unsettled month, or catches
up, with the probabilities of :mod:`creditops.simulate.world.parameters`. ``settled_through`` is the last
month whose items are all settled; the months past due are the distance to it. All facilities of a
customer share it, so one path per customer fixes every payment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from creditops.simulate.book.events import NEVER, Events
from creditops.simulate.book.facility_plan import FacilityPlan
from creditops.simulate.world.arrays import Bools, Floats, Ints, SmallInts
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.economy import Economy
from creditops.simulate.world.parameters import (
    BEHAVIOUR,
    DEFAULT_STATE,
    STRAIN_PERSISTENCE,
    UTILISATION_SWING,
    catch_up_table,
    intercept_table,
    of_segment,
)
from creditops.simulate.world.population import Population
from creditops.simulate.world.randomness import stream


@dataclass(frozen=True)
class Paths:
    """What happened to every customer, arrays of shape (months, n), and to every plan, (f,).

    Attributes
    ----------
    settled_through: last month whose items are all settled, at month end.
    exposed_until: last month with a due item among facilities open at month end.
    strain: latent strain; predictor: linear predictor of the roll hazard, strain and all included.
    carried: linear predictor without strain and downturn.
    scarred: the customer has defaulted and recovered before.
    written_off: month of write-off, ``NEVER`` for most; shape (n,).
    opened, repaid_early: whether a plan came true; shape (f,).
    """

    settled_through: SmallInts
    exposed_until: SmallInts
    strain: Floats
    predictor: Floats
    carried: Floats
    scarred: Bools
    written_off: Ints
    opened: Bools
    repaid_early: Bools

    @property
    def past_due(self) -> SmallInts:
        """Months past due at each month end, shape (months, n)."""
        months = np.arange(self.settled_through.shape[0], dtype=np.int16)[:, None]
        return months - self.settled_through


def live(
    seed: int,
    grid: MonthGrid,
    economy: Economy,
    population: Population,
    plan: FacilityPlan,
    events: Events,
) -> Paths:
    """Run the payment behaviour of the whole book over all months of the grid."""
    rng = stream(seed, "behaviour")
    n, months = population.size, grid.count
    segment = population.segment
    intercepts, catch_up = intercept_table(), catch_up_table()
    swing = of_segment("utilisation", segment) * UTILISATION_SWING
    macro, scar = of_segment("macro", segment), of_segment("scar", segment)
    cure = of_segment("default_cure", segment)
    write_off_after = rng.integers(*np.array([b.write_off for b in BEHAVIOUR]).T[:, segment])
    planned_end = np.minimum(plan.planned_last_due(), months + 120)
    opening, ending = _by_month(plan.open_month, months), _by_month(plan.early_end, months)

    settled = np.full((months, n), -1, dtype=np.int16)
    until_path = np.full((months, n), -1, dtype=np.int16)
    strain_path, predictor_path, carried_path = (np.empty((months, n)) for _ in range(3))
    scarred_path = np.zeros((months, n), dtype=bool)
    opened, repaid_early = np.zeros(plan.size, dtype=bool), np.zeros(plan.size, dtype=bool)
    start, until = np.full(n, NEVER), np.full(n, -1)
    written_off, scarred = np.full(n, NEVER), np.zeros(n, dtype=bool)
    through = np.full(n, -1)
    strain = rng.standard_normal(n)
    for month in range(months):
        strain = STRAIN_PERSISTENCE * strain + np.sqrt(1 - STRAIN_PERSISTENCE**2) * rng.standard_normal(n)
        carried = population.static + events.shock(month) + scar * scarred
        predictor = carried + swing * strain + macro * float(economy.downturn_at(month))
        before = month - 1 - through
        chance, choice, recovery = rng.random((3, n))
        state = np.minimum(before, DEFAULT_STATE - 1)
        hazard = 1 / (1 + np.exp(-(intercepts[segment, state] + predictor)))
        alive = written_off == NEVER
        defaulted = alive & (before >= DEFAULT_STATE)
        exposed = alive & ~defaulted & (((start <= month) & (month <= until)) | (before > 0))
        stays = exposed & (chance >= hazard)
        catches_up = stays & (choice < catch_up[segment, state])
        cured = defaulted & (recovery < cure)
        idle = alive & ~defaulted & ~exposed
        through = np.where(catches_up | cured | idle, month, np.where(stays, through + 1, through))
        paid_out = alive & (through >= until) & (through < month)
        through = np.where(paid_out, month, through)
        scarred = scarred | cured
        lost = defaulted & ~cured & (month - through >= write_off_after)
        written_off = np.where(lost, month, written_off)

        good = (through == month) & ~scarred
        plans = opening[month]
        taken = plans[good[plan.customer[plans]]]
        opened[taken] = True
        used = taken[~plan.dormant[taken]]
        np.minimum.at(start, plan.customer[used], plan.first_due[used])
        np.maximum.at(until, plan.customer[used], planned_end[used])
        plans = ending[month]
        plans = plans[opened[plans]]
        early = plans[(through == month)[plan.customer[plans]]]
        repaid_early[early] = True
        late = plans[~repaid_early[plans]]
        np.maximum.at(until, plan.customer[late], plan.last_due[late])

        settled[month], until_path[month] = through, until
        strain_path[month], predictor_path[month], carried_path[month] = strain, predictor, carried
        scarred_path[month] = scarred
    return Paths(
        settled_through=settled,
        exposed_until=until_path,
        strain=strain_path,
        predictor=predictor_path,
        carried=carried_path,
        scarred=scarred_path,
        written_off=written_off,
        opened=opened,
        repaid_early=repaid_early,
    )


def _by_month(month: Ints, months: int) -> list[Ints]:
    """Positions grouped by month, one array for each month of the grid."""
    order = np.argsort(month, kind="stable")
    edges = np.searchsorted(month[order], np.arange(months + 1))
    return [order[edges[m] : edges[m + 1]] for m in range(months)]


def settlement_month(settled_through: SmallInts) -> SmallInts:
    """Month in which each customer settles what falls due in each month, shape (months, n).

    ``months`` where it stays unsettled to the end.
    """
    months, n = settled_through.shape
    due = np.repeat(np.arange(months, dtype=np.int16), n)
    customer = np.tile(np.arange(n), months)
    result = np.full(months * n, months, dtype=np.int16)
    open_items = np.arange(months * n)
    for lag in range(months):
        month = due[open_items] + lag
        inside = month < months
        open_items, month = open_items[inside], month[inside]
        if open_items.size == 0:
            break
        settled = settled_through[month, customer[open_items]] >= due[open_items]
        result[open_items[settled]] = month[settled]
        open_items = open_items[~settled]
    return result.reshape(months, n)
