"""Settlement, delinquency and default written out day by day from docs/domain.md: slow, plain, no SQL.

Money is whole cents. A payment with ``names`` set names a due item of trade credit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

TOLERANCE = 1


@dataclass(frozen=True)
class DueItem:
    due_item_id: str
    due_date: date
    amount: int
    issued_on: date
    principal: int | None = None


@dataclass(frozen=True)
class Payment:
    payment_id: str
    value_date: date
    amount: int
    names: str | None = None
    reverses: str | None = None


@dataclass(frozen=True)
class Dispute:
    """Counts from ``opened_on`` until the day before ``closed_on``."""

    due_item_id: str
    opened_on: date
    closed_on: date | None


@dataclass
class Account:
    """One facility with everything that happened on it."""

    facility_id: str
    product_type: str
    opened_on: date
    principal: int | None = None
    due_items: list[DueItem] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)

    def disputed(self, day: date) -> set[str]:
        """Items in dispute on a day."""
        return {
            each.due_item_id
            for each in self.disputes
            if each.opened_on <= day and (each.closed_on is None or day < each.closed_on)
        }

    def named_item(self, payment: Payment) -> str | None:
        """The item a payment settles first: the one it names, or that its reversed payment names."""
        if self.product_type != "trade_credit":
            return None
        name = payment.names
        if name is None and payment.reverses is not None:
            name = next((p.names for p in self.payments if p.payment_id == payment.reverses), None)
        known = {item.due_item_id for item in self.due_items if item.amount > 0}
        return name if name in known else None


@dataclass(frozen=True)
class ItemState:
    item: DueItem
    is_settled: bool
    paid: int
    short: int  # what a settled item lacks, within the tolerance


def item_states(account: Account, day: date) -> list[ItemState]:
    """Every due of the account on ``day``, oldest first; red-letter items are credits, not dues.

    The tolerance holds for each item; what queues behind one starts from its full amount.
    """
    named: dict[str, int] = {}
    pool = 0
    for payment in account.payments:
        if payment.value_date <= day:
            name = account.named_item(payment)
            if name is None:
                pool += payment.amount
            else:
                named[name] = named.get(name, 0) + payment.amount
    for item in account.due_items:
        if item.amount < 0 and item.due_date <= day:
            pool += -item.amount
    dues = sorted((i for i in account.due_items if i.amount >= 0), key=lambda i: (i.due_date, i.due_item_id))
    own: dict[str, int] = {}
    for item in dues:
        received = named.get(item.due_item_id, 0)
        own[item.due_item_id] = min(max(received, 0), item.amount)
        pool += received - own[item.due_item_id]
    states = []
    before = 0
    for item in dues:
        rest = item.amount - own[item.due_item_id]
        by_name = own[item.due_item_id] > 0 and rest <= TOLERANCE
        settled = by_name or pool >= before + rest - TOLERANCE
        from_pool = min(max(pool - before, 0), rest)
        paid = own[item.due_item_id] + from_pool
        states.append(
            ItemState(item, settled, item.amount if settled else paid, item.amount - paid if settled else 0)
        )
        before += rest
    return states


def days_past_due(account: Account, day: date, *, undisputed: bool = False) -> int:
    left_out = account.disputed(day) if undisputed else set()
    late = [
        s.item.due_date
        for s in item_states(account, day)
        if s.item.amount > 0
        and not s.is_settled
        and s.item.due_date < day
        and s.item.due_item_id not in left_out
    ]
    return (day - min(late)).days if late else 0


def overdue_amount(account: Account, day: date, *, undisputed: bool = False) -> int:
    left_out = account.disputed(day) if undisputed else set()
    return sum(
        s.item.amount - s.paid
        for s in item_states(account, day)
        if not s.is_settled and s.item.due_date < day and s.item.due_item_id not in left_out
    )


def material_days(
    account: Account, last: date, least: int, share: float, *, undisputed: bool = False
) -> dict[date, int]:
    """Days past due of each day where only material ones count: days in a row on which what is past due is
    more than an amount and more than a share of what is owed.
    """
    owed = loan_balance if account.product_type.endswith("loan") else trade_balance
    counted: dict[date, int] = {}
    days, day = 0, account.opened_on
    while day <= last:
        overdue = overdue_amount(account, day, undisputed=undisputed)
        days = days + 1 if overdue > least and overdue > share * owed(account, day) else 0
        counted[day] = days
        day += timedelta(days=1)
    return counted


def settled_on(account: Account, as_of: date) -> dict[str, date | None]:
    """First date after which each due stays settled, as known on ``as_of``."""
    days = sorted(
        {p.value_date for p in account.payments if p.value_date <= as_of}
        | {i.due_date for i in account.due_items if i.amount < 0 and i.due_date <= as_of}
    )
    result: dict[str, date | None] = {}
    start = date(1900, 1, 1)
    history = [(day, {s.item.due_item_id: s for s in item_states(account, day)}) for day in (start, *days)]
    for item in account.due_items:
        if item.amount < 0:
            result[item.due_item_id] = item.due_date if item.due_date <= as_of else None
            continue
        first: date | None = None
        for day, states in reversed(history):
            if not states[item.due_item_id].is_settled:
                break
            first = day
        if first == start:
            first = item.due_date if item.due_date <= as_of else None
        result[item.due_item_id] = first
    return result


def loan_balance(account: Account, day: date) -> int:
    """Principal disbursed less principal settled; what is paid on an item goes to interest and fee first."""
    settled = 0
    for state in item_states(account, day):
        principal = state.item.principal or 0
        interest = state.item.amount - principal
        settled += principal if state.is_settled else max(state.paid - interest, 0)
    lent = sum(item.principal or 0 for item in account.due_items if item.amount > 0)
    return max(lent - settled, 0)


def trade_balance(account: Account, day: date) -> int:
    """Invoices issued by ``day``, red-letter ones off from their due day on, less what was paid.

    A settled invoice is not open, so what it lacks within the tolerance is not owed. What was paid back
    beyond what was paid is no invoice. Where payments name invoices, each is looked at by itself.
    """
    issued = sum(item.amount for item in account.due_items if item.amount > 0 and item.issued_on <= day)
    paid = received(account, day) - sum(
        item.amount for item in account.due_items if item.amount < 0 and item.due_date <= day
    )
    if account.product_type != "trade_credit":
        return max(issued - paid, 0)
    states = [state for state in item_states(account, day) if state.item.issued_on <= day]
    if any(account.named_item(each) for each in account.payments):
        return sum(state.item.amount - state.paid for state in states)
    return max(issued - max(paid, 0) - sum(state.short for state in states), 0)


def received(account: Account, day: date) -> int:
    return sum(payment.amount for payment in account.payments if payment.value_date <= day)


def months_later(day: date, months: int) -> date:
    """The same day some months later, or the last of that month."""
    index = day.year * 12 + day.month - 1 + months
    first = date(index // 12, index % 12 + 1, 1)
    following = date((index + 1) // 12, (index + 1) % 12 + 1, 1)
    return min(first + timedelta(days=day.day - 1), following - timedelta(days=1))


def upgraded_on(account: Account, clean_from: date) -> date:
    """First day on which a non-performing claim, clean from a day on, may be upgraded: after six months or,
    of a loan, the second instalment due after that day, whichever is later.
    """
    half_a_year = months_later(clean_from, 6)
    if not account.product_type.endswith("loan"):
        return half_a_year
    later = sorted({i.due_date for i in account.due_items if i.amount > 0 and i.due_date > clean_from})[:2]
    return max([half_a_year, *later])


def repaid_on(account: Account, as_of: date) -> date | None:
    """Day on which the whole schedule of a loan was settled for good, as known on ``as_of``."""
    dues = [item.due_item_id for item in account.due_items if item.amount > 0]
    if not dues or not account.product_type.endswith("loan"):
        return None
    days = [day for name, day in settled_on(account, as_of).items() if name in dues and day is not None]
    return max(days) if len(days) == len(dues) else None


def default_episodes(
    account: Account, dpd: Callable[[date], int], first: date, last: date
) -> list[tuple[date, date | None]]:
    """(default date, cure date) of a facility by itself: default at more than 90 days, cure on the 90th day
    in a row at none, but no earlier than the class is upgraded, and never after the loan is repaid.
    """
    last = min(last, repaid_on(account, last) or last)
    episodes: list[tuple[date, date | None]] = []
    day, in_default = first, False
    clean_from: date | None = None
    while day <= last:
        late = dpd(day)
        clean_from = None if late else clean_from or day
        if not in_default and late > 90:
            episodes.append((day, None))
            in_default = True
        elif in_default and clean_from is not None:
            cured_on = max(clean_from + timedelta(days=89), upgraded_on(account, clean_from))
            if day >= cured_on:
                episodes[-1] = (episodes[-1][0], day)
                in_default = False
        day += timedelta(days=1)
    return episodes
