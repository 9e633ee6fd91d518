"""How facilities end, and the rows of ``facilities``: one for each state, from its effective date."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from creditops.simulate.book.behaviour import Paths
from creditops.simulate.book.due_items import DueItems
from creditops.simulate.book.facility_plan import OPEN_ENDED, FacilityPlan
from creditops.simulate.book.payments import Payments
from creditops.simulate.book.products import CARD, PRODUCTS, TERM
from creditops.simulate.world.arrays import Bools, Floats, Ints
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.parameters import DEFAULT_STATE
from creditops.simulate.world.randomness import stream

ACTIVE, CLOSED, WRITTEN_OFF, RESTRUCTURED = 0, 1, 2, 3
STATUSES = ("active", "closed", "written_off", "restructured")
_RESTRUCTURED_SHARE = 0.2


@dataclass(frozen=True)
class FacilityStates:
    """Ends of facilities, shape (f,), days as numbers and -1 for never.

    ``closed_on`` is the day of the last payment or of the write-off; ``restructured_on`` the month
    end after a defaulted customer's arrears were cleared by restructuring.
    """

    closed_on: Ints
    written_off: Bools
    restructured_on: Ints


def end_facilities(
    seed: int, grid: MonthGrid, facilities: FacilityPlan, paths: Paths, items: DueItems, payments: Payments
) -> FacilityStates:
    """Find the end of each facility: repaid in full, written off with its customer, or none."""
    n = facilities.size
    ends = facilities.last_due < OPEN_ENDED
    unsettled = np.zeros(n, dtype=bool)
    fee = items.kind == 3
    unsettled[items.facility[(items.settles >= grid.count) & ~fee]] = True
    has_items = np.zeros(n, dtype=bool)
    has_items[items.facility] = True
    complete = (facilities.kind != CARD) | (facilities.last_due < grid.count)
    repaid = ends & has_items & ~unsettled & complete
    last_payment = np.full(n, -1)
    np.maximum.at(last_payment, payments.facility, payments.value_day)
    closed_on = np.where(repaid, last_payment, -1)
    lost_in = paths.written_off[facilities.customer]
    lost = ~repaid & (lost_in < grid.count) & has_items
    closed_on = np.where(lost, grid.end(np.minimum(lost_in, grid.count - 1)), closed_on)
    return FacilityStates(
        closed_on=closed_on,
        written_off=lost,
        restructured_on=_restructured(seed, grid, facilities, paths, closed_on),
    )


def _restructured(
    seed: int, grid: MonthGrid, facilities: FacilityPlan, paths: Paths, closed_on: Ints
) -> Ints:
    """Month end at which a loan's default is cleared by restructuring, for a share of those cured."""
    past_due = paths.past_due
    recovered = np.zeros(past_due.shape, dtype=bool)
    recovered[1:] = (past_due[:-1] >= DEFAULT_STATE) & (past_due[1:] == 0)
    month = np.where(recovered.any(axis=0), recovered.argmax(axis=0), -1)
    drawn = stream(seed, "restructuring").random(month.size) < _RESTRUCTURED_SHARE
    of_facility = month[facilities.customer]
    on = grid.end(np.maximum(of_facility, 0))
    loan = facilities.kind != CARD
    running = (of_facility > facilities.open_month) & ((closed_on < 0) | (closed_on > on))
    eligible = loan & (facilities.kind <= TERM) & running & drawn[facilities.customer]
    return np.where(eligible, on, -1)


def facility_rows(
    grid: MonthGrid, facilities: FacilityPlan, states: FacilityStates, limits: Floats, raised: Ints
) -> pl.DataFrame:
    """Rows of ``facilities``, ordered by facility and effective date.

    A facility has a row from its opening and one for each later change: a limit raise,
    restructuring, closing or write-off. Closing is unknown before its row is effective.
    """
    everyone = np.arange(facilities.size)
    raised_ones = np.flatnonzero(raised >= 0)
    raise_day = grid.end(raised[raised_ones])
    open_then = (states.closed_on[raised_ones] < 0) | (states.closed_on[raised_ones] > raise_day)
    raised_ones, raise_day = raised_ones[open_then], raise_day[open_then]
    restructured = np.flatnonzero(states.restructured_on >= 0)
    ended = np.flatnonzero(states.closed_on >= 0)
    end_status = np.where(states.written_off[ended], WRITTEN_OFF, CLOSED)
    facility = np.concatenate([everyone, raised_ones, restructured, ended])
    effective = np.concatenate(
        [
            facilities.opened_on,
            raise_day,
            states.restructured_on[restructured],
            states.closed_on[ended],
        ]
    )
    status = np.concatenate(
        [
            np.full(everyone.size + raised_ones.size, ACTIVE),
            np.full(restructured.size, RESTRUCTURED),
            end_status,
        ]
    )
    limit = np.where(facilities.kind == CARD, limits[0], facilities.credit_limit)[facility]
    grown = facilities.kind[facility] == CARD
    grown &= (raised[facility] >= 0) & (effective >= grid.end(np.maximum(raised[facility], 0)))
    limit = np.where(grown, limits[-1, facility], limit)
    order = np.lexsort((effective, facility))
    facility, effective, status, limit = facility[order], effective[order], status[order], limit[order]
    ends_here = (status == CLOSED) | (status == WRITTEN_OFF)
    product = np.array([p.product_id for p in PRODUCTS])[facilities.product[facility]]
    return pl.DataFrame(
        {
            "facility": facility,
            "customer": facilities.customer[facility],
            "product_id": product.tolist(),
            "partner": facilities.partner[facility],
            "opened_on": facilities.opened_on[facility],
            "closed_on": np.where(ends_here, states.closed_on[facility], -1),
            "principal": facilities.principal[facility],
            "credit_limit": limit,
            "secured": facilities.secured[facility],
            "status": [STATUSES[code] for code in status.tolist()],
            "effective_date": effective,
        }
    )
