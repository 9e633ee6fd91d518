"""Settlement of due items and days past due (docs/domain.md), one facility at a time, in cents.

Readings taken where docs/domain.md leaves a choice:

- A payment names an item only where the item is an invoice ("a trade invoice with a payment that names
  it"); a payment that names anything else joins the queue.
- What is paid by name over the item's amount joins the queue; a reversal of a named payment acts on the
  item that the reversed payment named.
- An item that is a cent short by name is settled, and the cent still comes before what queues behind it
  ("what queues behind starts from the full amount").
- A dispute lasts from the day it was opened to the day before it was closed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from tests.audit.sources import Row, Sources, cents, day

TOLERANCE = 1
NEVER = date.max


@dataclass(frozen=True)
class Item:
    """Something due on one day, in cents."""

    item_id: str
    kind: str
    issued: date
    due: date
    amount: int
    principal: int | None


@dataclass(frozen=True)
class Open:
    """A due item as it stands on a day: what of it is unsettled, 0 if settled."""

    item: Item
    unsettled: int


class Account:
    """Due items and payments of a facility."""

    def __init__(self, items: Iterable[Row], payments: Iterable[Row], disputes: dict[str, list[Row]]) -> None:
        rows = sorted(items, key=lambda row: (row["due_date"], row["due_item_id"]))
        every = [
            Item(
                row["due_item_id"], row["kind"], day(row["issued_on"] or row["due_date"]),
                day(row["due_date"]),
                cents(row["amount_due"]), cents(row["principal"]) if row["principal"] else None,
            )
            for row in rows
        ]  # fmt: skip
        self.items = [item for item in every if item.amount > 0]
        self.red = [item for item in every if item.amount < 0]
        self.all = every
        invoices = {item.item_id for item in self.items if item.kind == "invoice"}
        payments = list(payments)
        names = {row["payment_id"]: row["due_item_id"] for row in payments}
        self.payments: list[tuple[date, int, str]] = []
        for row in payments:
            target = row["due_item_id"]
            if row["reverses_payment_id"]:
                target = names.get(row["reverses_payment_id"], target)
            self.payments.append(
                (day(row["value_date"]), cents(row["amount"]), target if target in invoices else "")
            )
        self.payments.sort(key=lambda payment: payment[0])
        self.disputed = {
            item.item_id: [
                (day(row["opened_on"]), day(row["closed_on"]) if row["closed_on"] else NEVER)
                for row in disputes.get(item.item_id, ())
            ]
            for item in self.items
            if item.item_id in disputes
        }
        self._states: list[tuple[date, date, date]] = []  # from, oldest open due day, oldest undisputed one
        self._last: tuple[date, tuple[list[Open], int]] | None = None
        self._remember()

    def is_disputed(self, item: Item, on: date) -> bool:
        return any(opened <= on < closed for opened, closed in self.disputed.get(item.item_id, ()))

    def queue(self, on: date) -> tuple[list[Open], int]:
        """Every item as it stands on a day, oldest first, and what was paid over all of them."""
        start = self._days[bisect_right(self._days, on) - 1]
        if self._last is None or self._last[0] != start:
            self._last = (start, self._stand(start))
        return self._last[1]

    def _stand(self, on: date) -> tuple[list[Open], int]:
        named: dict[str, int] = defaultdict(int)
        pool = sum(-item.amount for item in self.red if item.due <= on)
        for when, amount, target in self.payments:
            if when > on:
                break
            if target:
                named[target] += amount
            else:
                pool += amount
        paid_by_name = {}
        for item in self.items:
            paid = named.get(item.item_id, 0)
            paid_by_name[item.item_id] = max(0, min(paid, item.amount))
            pool += paid - paid_by_name[item.item_id]
        found = []
        for item in self.items:
            by_name = paid_by_name[item.item_id]
            wanted = item.amount - by_name
            taken = max(0, min(pool, wanted))
            pool -= wanted if pool >= wanted else max(pool, 0)
            unsettled = wanted - taken
            found.append(Open(item, unsettled if unsettled > TOLERANCE else 0))
        return found, pool

    def _remember(self) -> None:
        changes = {when for when, _, _ in self.payments} | {item.due for item in self.red}
        for spans in self.disputed.values():
            changes |= {end for span in spans for end in span if end != NEVER}
        self._settled: dict[str, date] = {}
        for when in [date.min, *sorted(changes)]:
            standing, _ = self._stand(when)
            for each in standing:
                if each.unsettled:
                    self._settled.pop(each.item.item_id, None)
                else:
                    self._settled.setdefault(each.item.item_id, when)
            open_items = [each.item for each in standing if each.unsettled]
            oldest = open_items[0].due if open_items else NEVER
            clean = next((item.due for item in open_items if not self.is_disputed(item, when)), NEVER)
            self._states.append((when, oldest, clean))
        self._days = [state[0] for state in self._states]

    def oldest(self, on: date, *, undisputed: bool = False) -> date:
        """Due day of the oldest unsettled item."""
        state = self._states[bisect_right(self._days, on) - 1]
        return state[2] if undisputed else state[1]

    def dpd(self, on: date, *, undisputed: bool = False) -> int:
        oldest = self.oldest(on, undisputed=undisputed)
        return (on - oldest).days if oldest < on else 0

    def overdue(self, on: date) -> int:
        return sum(each.unsettled for each in self.queue(on)[0] if each.item.due < on)

    def is_settled(self, on: date) -> bool:
        return self.oldest(on) == NEVER

    def spans_over(self, days: int, until: date) -> list[tuple[date, date]]:
        """Spans [first, last] of days with more than ``days`` undisputed days past due."""
        spans: list[tuple[date, date]] = []
        for place, (start, _, oldest) in enumerate(self._states):
            end = self._states[place + 1][0] - timedelta(1) if place + 1 < len(self._states) else until
            end = min(end, until)
            if oldest == NEVER:
                continue
            first = max(start, oldest + timedelta(days + 1))
            if first > end:
                continue
            if spans and spans[-1][1] + timedelta(1) >= first:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((first, end))
        return spans

    def all_settled_on(self, by: date) -> date | None:
        """First day from which everything stays settled, as known on a day."""
        found = None
        for start, oldest, _ in self._states:
            if start > by:
                break
            found = (found or start) if oldest == NEVER else None
        return found

    def settled_on(self, item: Item) -> date | None:
        """The first day after which the item stays settled, as far as the payments go."""
        return self._settled.get(item.item_id)


def accounts(sources: Sources) -> dict[str, Account]:
    """The account of every facility."""
    items, payments = sources.grouped("due_items", "facility_id"), sources.grouped("payments", "facility_id")
    disputes = sources.grouped("disputes", "due_item_id")
    return {
        facility: Account(items.get(facility, ()), payments.get(facility, ()), disputes)
        for facility in sources.facilities
    }
