"""Payments that carry out the behaviour: full, partial, late, split, overpaid and bounced ones.

A customer three months past due who pays does so on days 1 to 3, before the 91st day; so default
happens exactly where the behaviour says. Bounced payments (a reversal, then a second payment) and
overpayments fall on customers with nothing past due.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from creditops.simulate.book.behaviour import Paths
from creditops.simulate.book.due_items import DueItems
from creditops.simulate.book.events import NEVER
from creditops.simulate.book.facility_plan import FacilityPlan
from creditops.simulate.book.products import INVOICE
from creditops.simulate.world.arrays import Bools, Floats, Ints, rank_in_run, run_starts
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.parameters import DEFAULT_STATE
from creditops.simulate.world.randomness import stream

_PARTIAL, _OVERPAID, _SPLIT, _BOUNCED, _THIRD_PARTY, _BOOKED_LATE = 0.28, 0.01, 0.03, 0.004, 0.02, 0.08


@dataclass(frozen=True)
class Payments:
    """Payments, one entry each, ordered by value day; money in cents, -1 for none.

    ``item`` is the position of the due item that a payment names, ``reverses`` the position of the
    payment that it reverses, ``booked_second`` the second of the booking day.
    """

    facility: Ints
    item: Ints
    value_day: Ints
    booked_day: Ints
    booked_second: Ints
    amount: Ints
    reverses: Ints
    third_party: Bools

    @property
    def size(self) -> int:
        return int(self.facility.size)


@dataclass(frozen=True)
class _Receipts:
    """Money before it becomes payments: facility, named item, value day, amount, settlement month."""

    facility: Ints
    item: Ints
    day: Ints
    amount: Ints
    month: Ints
    punctual: Bools


def pay(seed: int, grid: MonthGrid, facilities: FacilityPlan, paths: Paths, items: DueItems) -> Payments:
    """All payments with a value day up to ``as_of``."""
    rng = stream(seed, "payments")
    part = _partial_receipts(rng, grid, facilities, paths, items)
    outstanding = items.amount - items.credited
    np.subtract.at(outstanding, part.item, part.amount)
    settled = np.flatnonzero((items.settles < grid.count) | ((items.pay_day >= 0) & (items.pay_day < NEVER)))
    settled = settled[(outstanding[settled] > 0) & (items.pay_day[settled] != NEVER)]
    day, month, punctual = _days(rng, grid, facilities, paths, items, settled)
    outstanding, ahead = _overpay(rng, grid, facilities, items, settled, month, punctual, outstanding)
    whole = _grouped(items, settled, day, month, punctual, outstanding[settled] + ahead)
    whole = _split(rng, grid, whole)
    named_part = _Receipts(
        part.facility,
        np.where(items.named[part.item], part.item, -1),
        part.day,
        part.amount,
        part.month,
        part.punctual,
    )
    return _book(rng, grid, _stack([whole, named_part]))


def _stack(parts: list[_Receipts]) -> _Receipts:
    return _Receipts(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(_Receipts)}
    )


def _partial_receipts(
    rng: np.random.Generator, grid: MonthGrid, facilities: FacilityPlan, paths: Paths, items: DueItems
) -> _Receipts:
    """Part payments of the oldest open item in months that settle nothing; ``item`` is that item."""
    through = paths.settled_through
    stuck = np.zeros(through.shape, dtype=bool)
    stuck[1:] = through[1:] == through[:-1]
    months = np.arange(grid.count)[:, None]
    stuck &= (months - through > 0) & (months < paths.written_off)
    month, customer = np.nonzero(stuck & (rng.random(stuck.shape) < _PARTIAL))
    first = np.searchsorted(facilities.customer, customer)
    last = np.searchsorted(facilities.customer, customer, side="right")
    pair = np.repeat(np.arange(month.size), last - first)
    facility = np.repeat(first, last - first) + rank_in_run(run_starts(pair), pair.size)
    month, customer = month[pair], customer[pair]
    oldest = through[month, customer].astype(np.int64) + 1
    span = int(items.month.max(initial=0)) + 2
    keys = items.facility * span + items.month
    item = np.searchsorted(keys, facility * span + oldest)
    item = np.minimum(item, items.size - 1)
    found = (items.facility[item] == facility) & (items.month[item] == oldest) & (items.amount[item] > 0)
    found &= (items.pay_day[item] == -1) & (items.kind[item] != 3) & (items.settles[item] > month)
    month, customer, facility, item = month[found], customer[found], facility[found], item[found]
    order = np.lexsort((month, item))
    month, customer, facility, item = month[order], customer[order], facility[order], item[order]
    rank = rank_in_run(run_starts(item), item.size)
    share = (0.2 + 0.25 * rng.random(item.size)) * 0.5**rank
    amount = np.rint((items.amount - items.credited)[item] * share).astype(np.int64)
    earliest = np.where(items.month[item] == month, items.due_on[item], grid.start(month))
    day = earliest + (rng.random(item.size) * (grid.end(month) - earliest + 1)).astype(np.int64)
    kept = (amount > 0) & (rank < 4)
    nowhere = np.zeros(int(kept.sum()), dtype=bool)
    return _Receipts(facility[kept], item[kept], day[kept], amount[kept], month[kept], nowhere)


def _days(
    rng: np.random.Generator,
    grid: MonthGrid,
    facilities: FacilityPlan,
    paths: Paths,
    items: DueItems,
    settled: Ints,
) -> tuple[Ints, Ints, Bools]:
    """Value day and month of each settled item, and whether nothing was past due before."""
    facility, due_on = items.facility[settled], items.due_on[settled]
    fixed = items.pay_day[settled] >= 0
    month = np.where(fixed, grid.month_of(items.pay_day[settled]), items.settles[settled])
    customer = facilities.customer[facility]
    state = paths.past_due[np.maximum(month - 1, 0), customer].astype(np.int64)
    state[month == 0] = 0
    arrears = items.month[settled] < month
    trade = facilities.kind[facility] == INVOICE
    group = run_starts((facility * (grid.count + 1) + month) * 2 + ~arrears)
    groups = np.repeat(np.arange(group.size), np.diff(np.r_[group, settled.size]))
    strain = paths.strain[month, customer]
    late = rng.random(group.size)[groups] < 0.10 + 0.25 / (1 + np.exp(1.0 - 1.2 * strain))
    after = np.where(late, rng.integers(1, 7, group.size)[groups], -rng.integers(0, 4, group.size)[groups])
    room = grid.end(month) - due_on
    spread = np.where(
        rng.random(settled.size) < 0.35,
        -rng.integers(0, 5, settled.size),
        (rng.random(settled.size) * (np.minimum(room, 14) + 1)).astype(np.int64),
    )
    start = grid.start(month)
    current = np.clip(due_on + np.where(trade, spread, after), start, grid.end(month))
    ahead = items.month[settled] > month
    first_of_group = np.repeat(current[group], np.diff(np.r_[group, settled.size]))
    current = np.where(ahead, first_of_group, current)
    soon = (rng.random(group.size) ** 1.6 * 25).astype(np.int64)[groups]
    at_once = rng.integers(0, 3, group.size)[groups]
    catching_up = start + np.where(state == DEFAULT_STATE - 1, at_once, soon)
    day = np.where(fixed, items.pay_day[settled], np.where(arrears, catching_up, current))
    return day, month, (state == 0) & ~arrears & ~ahead & ~fixed


def _overpay(
    rng: np.random.Generator,
    grid: MonthGrid,
    facilities: FacilityPlan,
    items: DueItems,
    settled: Ints,
    month: Ints,
    punctual: Bools,
    outstanding: Ints,
) -> tuple[Ints, Ints]:
    """Some pay part of the next item ahead: what stays outstanding, and the extra per settled item."""
    extra = np.zeros(settled.size, dtype=np.int64)
    following = np.minimum(settled + 1, items.size - 1)
    eligible = punctual & (items.facility[following] == items.facility[settled])
    eligible &= (items.month[following] == month + 1) & (items.settles[following] > month)
    eligible &= facilities.kind[items.facility[settled]] != INVOICE
    chosen = np.flatnonzero(eligible & (rng.random(settled.size) < _OVERPAID))
    share = 0.05 + 0.25 * rng.random(chosen.size)
    extra[chosen] = np.rint(outstanding[following[chosen]] * share).astype(np.int64)
    outstanding = outstanding.copy()
    outstanding[following[chosen]] -= extra[chosen]
    return outstanding, extra


def _grouped(
    items: DueItems, settled: Ints, day: Ints, month: Ints, punctual: Bools, amount: Ints
) -> _Receipts:
    """One receipt for each facility and day, except that a payment naming an invoice stands alone."""
    facility = items.facility[settled]
    named = items.named[settled]
    last = run_starts(facility)
    final = np.zeros(settled.size, dtype=bool)
    final[np.r_[last[1:], settled.size][: last.size] - 1] = True
    alone = np.where(named, settled + 1, 0)
    order = np.lexsort((alone, day, facility))
    facility, day, alone, month = facility[order], day[order], alone[order], month[order]
    change = (np.diff(facility) != 0) | (np.diff(day) != 0) | (np.diff(alone) != 0)
    starts = np.flatnonzero(np.r_[np.ones(min(1, facility.size), dtype=bool), change])
    total = np.add.reduceat(amount[order], starts) if starts.size else amount[:0]
    usual = np.logical_and.reduceat((punctual & ~final)[order], starts) if starts.size else punctual[:0]
    return _Receipts(facility[starts], alone[starts] - 1, day[starts], total, month[starts], usual)


def _split(rng: np.random.Generator, grid: MonthGrid, receipts: _Receipts) -> _Receipts:
    """Some receipts arrive in two parts, days apart, still within their month."""
    chosen = receipts.punctual & (receipts.amount > 1000) & (rng.random(receipts.amount.size) < _SPLIT)
    at = np.flatnonzero(chosen)
    share = np.rint(receipts.amount[at] * (0.3 + 0.4 * rng.random(at.size))).astype(np.int64)
    amount = receipts.amount.copy()
    amount[at] -= share
    punctual = receipts.punctual & ~chosen
    later = np.minimum(receipts.day[at] + rng.integers(1, 4, at.size), grid.end(receipts.month[at]))
    rest = _Receipts(
        receipts.facility[at],
        receipts.item[at],
        later,
        share,
        receipts.month[at],
        np.zeros(at.size, dtype=bool),
    )
    kept = _Receipts(receipts.facility, receipts.item, receipts.day, amount, receipts.month, punctual)
    return _stack([kept, rest])


def _book(rng: np.random.Generator, grid: MonthGrid, receipts: _Receipts) -> Payments:
    """Add reversals with their second payments, order by value day, add booking times and payers."""
    n = receipts.amount.size
    bounced = np.flatnonzero(receipts.punctual & (rng.random(n) < _BOUNCED))
    back_on = receipts.day[bounced] + rng.integers(2, 11, bounced.size)
    again_on = back_on + rng.integers(1, 7, bounced.size)
    origin = np.concatenate([np.arange(n), bounced, bounced])
    day = np.concatenate([receipts.day, back_on, again_on])
    sign = np.concatenate([np.ones(n), -np.ones(bounced.size), np.ones(bounced.size)]).astype(np.int64)
    known = day <= grid.last_day
    origin, day, sign = origin[known], day[known], sign[known]
    facility, item = receipts.facility[origin], receipts.item[origin]
    order = np.lexsort((np.arange(origin.size), item, facility, day))
    origin, day, sign, facility, item = origin[order], day[order], sign[order], facility[order], item[order]
    reversal = sign < 0
    place = np.empty(known.size, dtype=np.int64)
    place[np.flatnonzero(known)[order]] = np.arange(order.size)
    lag = np.where(rng.random(day.size) < _BOOKED_LATE, rng.integers(1, 3, day.size), 0)
    third: Floats = rng.random(day.size)
    return Payments(
        facility=facility,
        item=item,
        value_day=day,
        booked_day=np.minimum(day + lag, grid.last_day),
        booked_second=rng.integers(8 * 3600, 22 * 3600, day.size),
        amount=sign * receipts.amount[origin],
        reverses=np.where(reversal, place[origin], -1),
        third_party=(third < _THIRD_PARTY) & ~reversal,
    )
