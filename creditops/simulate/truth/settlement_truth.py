"""Settlement (domain.md#settlement) and days past due (domain.md#days-past-due), from dues and payments.

Nothing of the generator is used, so the result can be compared with a warehouse that reads the
same files. A *spell* is a stretch of days of one facility over which nothing changes but the date:
its days past due on day D are ``max(0, D - oldest)``, ``oldest`` being the due day of the oldest
item that is not settled (``NOTHING_OPEN`` if there is none).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from creditops.simulate.world.arrays import Ints, run_starts, running_sum

TOLERANCE = 1
"""Cents by which an item may be short and still count as settled."""
NOTHING_OPEN = 10_000_000


@dataclass(frozen=True)
class Ledger:
    """Due items and payments of some facilities, as their files hold them; money in cents.

    Items are ordered by facility and due day. ``payment_item`` is the item that a payment names
    (-1 for none). Disputes name their item and run from ``dispute_from`` to the day before
    ``dispute_to``.
    """

    item_facility: Ints
    item_due: Ints
    item_amount: Ints
    payment_facility: Ints
    payment_item: Ints
    payment_day: Ints
    payment_amount: Ints
    dispute_item: Ints
    dispute_from: Ints
    dispute_to: Ints


@dataclass(frozen=True)
class Spells:
    """Spells ordered by facility and first day; each ends where the facility's next one starts.

    ``oldest_undisputed`` leaves items under dispute aside; ``paid`` is all money received so far,
    ``paid_before_due`` the part of it that settled items by name which are not due before the first day.
    """

    facility: Ints
    start: Ints
    oldest: Ints
    oldest_undisputed: Ints
    paid: Ints
    paid_before_due: Ints

    def at(self, facility: Ints, day: Ints) -> Ints:
        """Position of the spell that holds each (facility, day); days before the first use it."""
        span = int(max(self.start.max(initial=0), day.max(initial=0))) + 1
        position = np.searchsorted(self.facility * span + self.start, facility * span + day, side="right") - 1
        first = np.searchsorted(self.facility, facility)
        return np.maximum(position, first)


def join_spells(parts: list[Spells]) -> Spells:
    """Spells of several sets of facilities, in order."""
    columns = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Spells)}
    order = np.lexsort((columns["start"], columns["facility"]))
    return Spells(**{name: column[order] for name, column in columns.items()})


def _by_day(facility: Ints, day: Ints, amount: Ints) -> tuple[Ints, Ints, Ints]:
    """Facility, day and money received up to and including that day, for days with money."""
    order = np.lexsort((day, facility))
    facility, day, amount = facility[order], day[order], amount[order]
    total = running_sum(amount, run_starts(facility))
    change = (np.diff(facility) != 0) | (np.diff(day) != 0)
    last = np.flatnonzero(np.r_[change, np.ones(min(1, facility.size), dtype=bool)])
    return facility[last], day[last], total[last]


def fifo_spells(ledger: Ledger, facility: Ints, opened_on: Ints) -> Spells:
    """Spells of facilities whose payments all settle oldest first and whose items are all positive.

    Parameters
    ----------
    facility, opened_on: the facilities, in ascending order, and the day each one's history starts.
    """
    owner, day, paid = _by_day(ledger.payment_facility, ledger.payment_day, ledger.payment_amount)
    owner = np.concatenate([facility, owner])
    start = np.concatenate([opened_on, day])
    paid = np.concatenate([np.zeros(facility.size, dtype=np.int64), paid])
    rank = np.concatenate([np.zeros(facility.size), np.ones(day.size)])
    order = np.lexsort((rank, start, owner))
    owner, start, paid = owner[order], start[order], paid[order]
    last_of_day = np.r_[
        (np.diff(owner) != 0) | (np.diff(start) != 0), np.ones(min(1, owner.size), dtype=bool)
    ]
    owner, start, paid = owner[last_of_day], start[last_of_day], paid[last_of_day]
    due = running_sum(ledger.item_amount, run_starts(ledger.item_facility))
    span = int(max(due.max(initial=0), paid.max(initial=0))) + TOLERANCE + 2
    reached = np.clip(paid, 0, None) + TOLERANCE
    following = np.searchsorted(ledger.item_facility * span + due, owner * span + reached, side="right")
    following = np.maximum(following, np.searchsorted(ledger.item_facility, owner))
    open_item = np.minimum(following, max(0, ledger.item_facility.size - 1))
    oldest = np.full(owner.size, NOTHING_OPEN)
    if ledger.item_facility.size:
        found = (following < ledger.item_facility.size) & (ledger.item_facility[open_item] == owner)
        oldest = np.where(found, ledger.item_due[open_item], NOTHING_OPEN)
    return Spells(owner, start, oldest, oldest, paid, np.zeros(owner.size, dtype=np.int64))


def named_spells(ledger: Ledger, facility: Ints, opened_on: Ints, looks: Ints) -> Spells:
    """Spells of trade accounts: a payment that names an invoice settles it first, the rest FIFO.

    Facility by facility, over a matrix of days on which something changes by items. ``looks`` are
    days that start a spell of their own, so that ``paid_before_due`` is right on them.
    """
    parts = [
        _account_spells(_of_facility(ledger, int(owner)), int(owner), int(day), looks)
        for owner, day in zip(facility, opened_on, strict=True)
    ]
    return join_spells(parts) if parts else fifo_spells(ledger, facility, opened_on)


def _of_facility(ledger: Ledger, facility: int) -> Ledger:
    """One facility's part of the ledger, items counted from 0."""
    first, last = np.searchsorted(ledger.item_facility, [facility, facility + 1])
    begin, end = np.searchsorted(ledger.payment_facility, [facility, facility + 1])
    disputed = np.flatnonzero((ledger.dispute_item >= first) & (ledger.dispute_item < last))
    named = ledger.payment_item[begin:end]
    return Ledger(
        item_facility=ledger.item_facility[first:last],
        item_due=ledger.item_due[first:last],
        item_amount=ledger.item_amount[first:last],
        payment_facility=ledger.payment_facility[begin:end],
        payment_item=np.where(named >= 0, named - first, -1),
        payment_day=ledger.payment_day[begin:end],
        payment_amount=ledger.payment_amount[begin:end],
        dispute_item=ledger.dispute_item[disputed] - first,
        dispute_from=ledger.dispute_from[disputed],
        dispute_to=ledger.dispute_to[disputed],
    )


def _account_spells(ledger: Ledger, facility: int, opened_on: int, looks: Ints) -> Spells:
    later = looks[looks > opened_on]
    changes = (np.array([opened_on]), later, ledger.payment_day, ledger.dispute_from, ledger.dispute_to)
    days = np.unique(np.concatenate(changes))
    n, items = days.size, ledger.item_due.size
    row = np.searchsorted(days, ledger.payment_day)
    received = np.zeros(n, dtype=np.int64)
    np.add.at(received, row, ledger.payment_amount)
    named = np.zeros((n, items), dtype=np.int64)
    names = ledger.payment_item >= 0
    np.add.at(named, (row[names], ledger.payment_item[names]), ledger.payment_amount[names])
    applied = np.clip(np.cumsum(named, axis=0), 0, np.maximum(ledger.item_amount, 0))
    paid = np.cumsum(received)
    pool = paid - applied.sum(axis=1)
    remaining = ledger.item_amount - applied
    is_open = (remaining > TOLERANCE) & (np.cumsum(remaining, axis=1) - pool[:, None] > TOLERANCE)
    disputed = np.zeros((n, items), dtype=bool)
    for item, begin, end in zip(ledger.dispute_item, ledger.dispute_from, ledger.dispute_to, strict=True):
        disputed[np.searchsorted(days, begin) : np.searchsorted(days, end), item] = True
    return Spells(
        facility=np.full(n, facility),
        start=days,
        oldest=_oldest(is_open, ledger.item_due),
        oldest_undisputed=_oldest(is_open & ~disputed, ledger.item_due),
        paid=paid,
        paid_before_due=np.where(ledger.item_due >= days[:, None], applied, 0).sum(axis=1),
    )


def _oldest(is_open: np.ndarray, due: Ints) -> Ints:
    if due.size == 0:
        return np.full(is_open.shape[0], NOTHING_OPEN)
    return np.where(is_open.any(axis=1), due[is_open.argmax(axis=1)], NOTHING_OPEN)
