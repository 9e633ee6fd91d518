"""Default and cure dates, and the month-end state of every facility, from settlement spells.

Default: DPD over 90, disputed items left out. Cure: DPD 0 on 90 consecutive days (365 after a
restructuring), the cure date being the last of them. Both per facility, by the day (DOMAIN 2, 3).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from creditops.simulate.arrays import Bools, Floats, Ints, expand, run_starts, running_sum
from creditops.simulate.calendar import MonthGrid
from creditops.simulate.due_items import DueItems
from creditops.simulate.facility_states import (
    ACTIVE,
    CLOSED,
    RESTRUCTURED,
    STATUSES,
    WRITTEN_OFF,
    FacilityStates,
)
from creditops.simulate.origination import FacilityPlan
from creditops.simulate.products import CARD, INVOICE
from creditops.simulate.settlement_truth import Spells

DEFAULT_DAYS, CURE_DAYS, RESTRUCTURED_CURE_DAYS = 91, 90, 365
_BUCKET_STEP, _LAST_BUCKET = 30, 7


def default_episodes(spells: Spells, states: FacilityStates, last_day: int) -> pl.DataFrame:
    """Default episodes: facility, episode (from 1), default_on, cured_on (-1 where not cured)."""
    ends = _spell_ends(spells, states, last_day)
    onset = np.maximum(spells.start, spells.oldest_undisputed + DEFAULT_DAYS)
    has_onset = onset < ends
    struck = np.unique(spells.facility[has_onset])
    rows = []
    for facility in struck.tolist():
        first, last = np.searchsorted(spells.facility, [facility, facility + 1])
        onsets = onset[first:last][has_onset[first:last]]
        zero_from, zero_to = _current_runs(
            spells.start[first:last], ends[first:last], spells.oldest_undisputed[first:last]
        )
        restructured_on = int(states.restructured_on[facility])
        episode, free_from = 0, -1
        for day in onsets.tolist():
            if free_from == -2 or day < free_from:
                continue
            episode += 1
            cured_on = _cure(day, zero_from, zero_to, restructured_on)
            free_from = cured_on if cured_on >= 0 else -2
            rows.append((facility, episode, day, cured_on))
    schema = {"facility": pl.Int64, "episode": pl.Int64, "default_on": pl.Int64, "cured_on": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _spell_ends(spells: Spells, states: FacilityStates, last_day: int) -> Ints:
    """Day after the last of each spell; history ends with the facility or with ``last_day``."""
    closed_on = states.closed_on[spells.facility]
    history_end = np.where(closed_on >= 0, np.minimum(closed_on, last_day), last_day) + 1
    following = np.r_[spells.start[1:], 0]
    last_of_facility = np.r_[np.diff(spells.facility) != 0, np.ones(min(1, spells.facility.size), dtype=bool)]
    return np.minimum(np.where(last_of_facility, history_end, following), history_end)


def _current_runs(start: Ints, end: Ints, oldest: Ints) -> tuple[Ints, Ints]:
    """First and last-plus-one day of each run of days without anything past due."""
    zero_to = np.minimum(end, oldest + 1)
    some = start < zero_to
    begin, finish = start[some], zero_to[some]
    if begin.size == 0:
        return begin, finish
    joined = begin[1:] == finish[:-1]
    return begin[np.r_[True, ~joined]], finish[np.r_[~joined, True]]


def _cure(default_on: int, zero_from: Ints, zero_to: Ints, restructured_on: int) -> int:
    for begin, finish in zip(zero_from.tolist(), zero_to.tolist(), strict=True):
        if begin <= default_on:
            continue
        restructured = default_on <= restructured_on < begin + CURE_DAYS
        days = RESTRUCTURED_CURE_DAYS if restructured else CURE_DAYS
        if finish - begin >= days:
            return begin + days - 1
    return -1


def facility_months(
    grid: MonthGrid,
    facilities: FacilityPlan,
    states: FacilityStates,
    items: DueItems,
    spells: Spells,
    episodes: pl.DataFrame,
    card_balances: Floats,
) -> pl.DataFrame:
    """State of each facility at each month end from opening to the month it ends in.

    Overdue amount is ``max(0, dues before D - money)`` with money that named items not yet due
    left out; balance is principal not yet due plus what is due less what is paid (invoices: all
    issued less all paid; cards: the reported balance), never under 0.
    """
    last = np.where(states.closed_on >= 0, grid.month_of(states.closed_on), grid.count - 1)
    facility, rank = expand(np.maximum(0, last - facilities.open_month + 1))
    month = facilities.open_month[facility] + rank
    day = grid.end(month)
    at = spells.at(facility, day)
    dpd = np.maximum(0, day - spells.oldest[at])
    undisputed = np.maximum(0, day - spells.oldest_undisputed[at])
    due_before = _due(items, items.amount, facility, day - 1)
    overdue = np.where(dpd > 0, np.maximum(0, due_before - spells.paid[at] + spells.ahead[at]), 0)
    status = _status(states, facility, day)
    balance = _balance(grid, facilities, items, spells, facility, month, day, at, card_balances)
    balance = np.where(status == CLOSED, 0, balance)
    bucket = np.minimum(-(-dpd // _BUCKET_STEP), _LAST_BUCKET)
    return pl.DataFrame(
        {
            "facility": facility,
            "customer": facilities.customer[facility],
            "month_end": day,
            "status": [STATUSES[code] for code in status.tolist()],
            "dpd": dpd,
            "dpd_undisputed": undisputed,
            "bucket": np.array([f"M{n}" for n in range(_LAST_BUCKET + 1)])[bucket].tolist(),
            "overdue_amount": overdue,
            "balance": balance,
            "is_default": in_default(episodes, facility, day),
        }
    )


def in_default(episodes: pl.DataFrame, facility: Ints, day: Ints) -> Bools:
    """Whether each facility is in default on each day: from the default until the cure date."""
    if episodes.is_empty():
        return np.zeros(facility.size, dtype=bool)
    owner, begin, end = (episodes[name].to_numpy() for name in ("facility", "default_on", "cured_on"))
    span = int(max(begin.max(), day.max(initial=0))) + 1
    position = np.searchsorted(owner * span + begin, facility * span + day, side="right") - 1
    at = np.maximum(position, 0)
    running = (end[at] < 0) | (day < end[at])
    return (position >= 0) & (owner[at] == facility) & running


def _due(items: DueItems, amount: Ints, facility: Ints, day: Ints) -> Ints:
    """Sum of ``amount`` over each facility's items that are due on or before ``day``."""
    total = np.r_[0, running_sum(amount, run_starts(items.facility))]
    span = int(max(items.due_on.max(initial=0), day.max(initial=0))) + 1
    key = items.facility * span + items.due_on
    reached = np.searchsorted(key, facility * span + day, side="right")
    return np.where(reached > np.searchsorted(items.facility, facility), total[reached], 0)


def _balance(
    grid: MonthGrid,
    facilities: FacilityPlan,
    items: DueItems,
    spells: Spells,
    facility: Ints,
    month: Ints,
    day: Ints,
    at: Ints,
    card_balances: Floats,
) -> Ints:
    due = _due(items, items.amount, facility, day)
    whole = np.zeros(facilities.size, dtype=np.int64)
    np.add.at(whole, items.facility, items.principal)
    not_due = whole[facility] - _due(items, items.principal, facility, day)
    order = np.lexsort((items.issued_on, items.facility))
    issued = _due(
        items.take(order).changed(due_on=items.issued_on[order]), items.amount[order], facility, day
    )
    kind = facilities.kind[facility]
    owed = np.where(kind == INVOICE, issued, not_due + due) - spells.paid[at]
    reported = np.rint(card_balances[month, facility]).astype(np.int64)
    return np.where(kind == CARD, reported, np.maximum(0, owed))


def _status(states: FacilityStates, facility: Ints, day: Ints) -> Ints:
    closed_on, restructured_on = states.closed_on[facility], states.restructured_on[facility]
    ended = (closed_on >= 0) & (closed_on <= day)
    restructured = (restructured_on >= 0) & (restructured_on <= day)
    running = np.where(restructured, RESTRUCTURED, ACTIVE)
    return np.where(ended, np.where(states.written_off[facility], WRITTEN_OFF, CLOSED), running)
