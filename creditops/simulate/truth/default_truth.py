"""Default and cure dates, and the month-end state of every facility, from settlement spells.

Default: DPD over 90, disputed items left out. Cure: DPD 0 on 90 consecutive days (365 after a
restructuring), the cure date being the last of them, but no earlier than the five-tier class may be
upgraded: after six months or two instalments without arrears, and no other claim of the customer
non-performing. Both per facility, by the day, without what a firm's or a person's other facilities
add (domain.md#default).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from creditops.simulate.book.due_items import KINDS, DueItems
from creditops.simulate.book.facility_plan import FacilityPlan
from creditops.simulate.book.facility_states import (
    ACTIVE,
    CLOSED,
    RESTRUCTURED,
    STATUSES,
    WRITTEN_OFF,
    FacilityStates,
)
from creditops.simulate.book.products import CARD, INVOICE
from creditops.simulate.truth.settlement_truth import TOLERANCE, Spells
from creditops.simulate.world.arrays import Bools, Floats, Ints, expand, run_starts, running_sum
from creditops.simulate.world.calendar import MonthGrid

DEFAULT_DAYS, CURE_DAYS, RESTRUCTURED_CURE_DAYS = 91, 90, 365
UPGRADE_MONTHS = 6
NEVER = 10_000_000
FEE = KINDS.index("fee")
_BUCKET_STEP, _LAST_BUCKET = 30, 7


def default_episodes(
    spells: Spells, states: FacilityStates, facilities: FacilityPlan, items: DueItems, last_day: int
) -> pl.DataFrame:
    """Default episodes: facility, episode (from 1), default_on, cured_on (-1 where not cured)."""
    ends = _spell_ends(spells, states, last_day)
    onset = np.maximum(spells.start, spells.oldest_undisputed + DEFAULT_DAYS)
    has_onset = onset < ends
    onsets: dict[int, list[int]] = {}
    for facility, day in zip(spells.facility[has_onset].tolist(), onset[has_onset].tolist(), strict=True):
        onsets.setdefault(facility, []).append(day)
    clean = {}
    for facility in onsets:
        first, last = np.searchsorted(spells.facility, [facility, facility + 1])
        runs = _current_runs(spells.start[first:last], ends[first:last], spells.oldest_undisputed[first:last])
        clean[facility] = list(zip(*(each.tolist() for each in runs), strict=True))
    claims = {each: _claims(onsets[each], clean[each], _due_days(facilities, items, each)) for each in onsets}
    waits = _waits(claims, facilities, states)
    rows = []
    for facility, days in onsets.items():
        restructured_on = int(states.restructured_on[facility])
        episode, free_from = 0, -1
        for day in days:
            if day < free_from:
                continue
            episode += 1
            cured_on = _cure(day, clean[facility], restructured_on, waits[facility])
            free_from = cured_on if cured_on >= 0 else NEVER
            rows.append((facility, episode, day, cured_on))
    schema = {"facility": pl.Int64, "episode": pl.Int64, "default_on": pl.Int64, "cured_on": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _due_days(facilities: FacilityPlan, items: DueItems, facility: int) -> Ints:
    """Due days of a loan's instalments, in order; none of a card or trade account."""
    first, last = np.searchsorted(items.facility, [facility, facility + 1])
    is_loan = facilities.kind[facility] not in (CARD, INVOICE)
    counted = is_loan & (items.kind[first:last] != FEE) & (items.amount[first:last] > 0)
    return np.unique(items.due_on[first:last][counted])


def _claims(onsets: list[int], clean: list[tuple[int, int]], due_days: Ints) -> list[tuple[int, int]]:
    """First day of each non-performing claim and the one on which it may be upgraded (NEVER if none)."""
    claims: list[tuple[int, int]] = []
    for day in onsets:
        if claims and day <= claims[-1][1]:
            continue
        upgraded = ((begin, _upgrade(begin, due_days), finish) for begin, finish in clean if begin > day)
        claims.append((day, next((on for _, on, finish in upgraded if on < finish), NEVER)))
    return claims


def _upgrade(clean_from: int, due_days: Ints) -> int:
    """The later of six months on and the second instalment due after the first clean day."""
    start = np.datetime64(clean_from, "D")
    month = start.astype("datetime64[M]")
    later, following = (month + step for step in (UPGRADE_MONTHS, UPGRADE_MONTHS + 1))
    half_a_year = min(later.astype("datetime64[D]") + (start - month.astype("datetime64[D]")),
                      following.astype("datetime64[D]") - 1)  # fmt: skip
    return max([int(half_a_year.astype(int)), *due_days[due_days > clean_from][:2].tolist()])


def _waits(
    claims: dict[int, list[tuple[int, int]]], facilities: FacilityPlan, states: FacilityStates
) -> dict[int, list[tuple[int, int]]]:
    """Of each facility the stretches of days on which some claim of its customer is non-performing."""
    of_customer: dict[int, list[tuple[int, int]]] = {}
    for facility, spans in claims.items():
        closed_on = int(states.closed_on[facility])
        for begin, end in spans:
            until = min(end, closed_on) if closed_on >= 0 else end
            of_customer.setdefault(int(facilities.customer[facility]), []).append((begin, until))
    for customer, spans in of_customer.items():
        joined: list[tuple[int, int]] = []
        for begin, end in sorted(spans):
            if joined and begin <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((begin, end))
        of_customer[customer] = joined
    return {facility: of_customer[int(facilities.customer[facility])] for facility in claims}


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


def _cure(
    default_on: int, clean: list[tuple[int, int]], restructured_on: int, waits: list[tuple[int, int]]
) -> int:
    """First day cured: clean for long enough, and no claim of the customer waits for its upgrade."""
    for begin, finish in clean:
        if begin <= default_on:
            continue
        restructured = default_on <= restructured_on < begin + CURE_DAYS
        cured_on = begin + (RESTRUCTURED_CURE_DAYS if restructured else CURE_DAYS) - 1
        upgraded_on = max((end for start, end in waits if start <= begin), default=cured_on)
        cured_on = max(cured_on, upgraded_on)
        if cured_on < finish:
            return cured_on
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
    left out; balance is principal not yet settled (invoices: all issued less all paid; cards: the
    reported balance), never under 0, and 0 once closed or written off.
    """
    last = np.where(states.closed_on >= 0, grid.month_of(states.closed_on), grid.count - 1)
    facility, rank = expand(np.maximum(0, last - facilities.open_month + 1))
    month = facilities.open_month[facility] + rank
    day = grid.end(month)
    at = spells.at(facility, day)
    dpd = np.maximum(0, day - spells.oldest[at])
    undisputed = np.maximum(0, day - spells.oldest_undisputed[at])
    due_before = _due(items, items.amount, facility, day - 1)
    overdue = np.where(dpd > 0, np.maximum(0, due_before - spells.paid[at] + spells.paid_before_due[at]), 0)
    status = _status(states, facility, day)
    balance = _balance(grid, facilities, items, spells, facility, month, day, at, card_balances)
    gone = (status == CLOSED) | (status == WRITTEN_OFF)
    balance = np.where(gone, 0, balance)
    overdue = np.where(status == WRITTEN_OFF, 0, overdue)
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
    whole = np.zeros(facilities.size, dtype=np.int64)
    np.add.at(whole, items.facility, items.principal)
    unsettled = whole[facility] - _settled_principal(items, whole, facility, spells.paid[at])
    order = np.lexsort((items.issued_on, items.facility))
    issued = _due(
        items.take(order).changed(due_on=items.issued_on[order]), items.amount[order], facility, day
    )
    kind = facilities.kind[facility]
    owed = np.where(kind == INVOICE, issued - spells.paid[at], unsettled)
    reported = np.rint(card_balances[month, facility]).astype(np.int64)
    return np.where(kind == CARD, reported, np.maximum(0, owed))


def _settled_principal(items: DueItems, whole: Ints, facility: Ints, paid: Ints) -> Ints:
    """Principal settled by what each facility paid: of an open item what is paid beyond fee and interest."""
    starts = run_starts(items.facility)
    due, principal = running_sum(items.amount, starts), running_sum(items.principal, starts)
    span = int(max(due.max(initial=0), paid.max(initial=0))) + TOLERANCE + 2
    reached = np.clip(paid, 0, None) + TOLERANCE
    following = np.searchsorted(items.facility * span + due, facility * span + reached, side="right")
    following = np.maximum(following, np.searchsorted(items.facility, facility))
    item = np.minimum(following, max(0, items.size - 1))
    is_open = (following < items.size) & (items.facility[item] == facility)
    part = np.maximum(principal[item] - items.principal[item], paid - (due[item] - principal[item]))
    return np.where(is_open, part, whole[facility])


def _status(states: FacilityStates, facility: Ints, day: Ints) -> Ints:
    closed_on, restructured_on = states.closed_on[facility], states.restructured_on[facility]
    ended = (closed_on >= 0) & (closed_on <= day)
    restructured = (restructured_on >= 0) & (restructured_on <= day)
    running = np.where(restructured, RESTRUCTURED, ACTIVE)
    return np.where(ended, np.where(states.written_off[facility], WRITTEN_OFF, CLOSED), running)
