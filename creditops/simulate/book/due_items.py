"""What falls due: loan schedules, card statements with their minimum payment, and fees.

Schedules are exact in cents: the principals of a loan's items add up to its principal.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from creditops.simulate.book.behaviour import Paths, settlement_month
from creditops.simulate.book.events import NEVER
from creditops.simulate.book.facility_plan import FacilityPlan
from creditops.simulate.book.products import CARD, INSTALMENT, PRODUCTS, TERM
from creditops.simulate.world.arrays import Bools, Floats, Ints, expand
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.randomness import stream

KINDS = ("instalment", "statement", "invoice", "fee")
IN_ITS_MONTH, UNPAID = -1, NEVER
"""Values of ``DueItems.pay_day`` besides a day: by the payment behaviour, and never."""
_STATEMENT_LEAD_DAYS = 20
_MINIMUM_SHARE, _MINIMUM_FLOOR = 0.10, 5_000
_LATE_FEE_SHARE = 0.05


@dataclass(frozen=True)
class DueItems:
    """Due items, one entry each, ordered by facility and due day; money in cents, days as numbers.

    ``month`` is the month in which the item falls due, ``settles`` the month in which the customer
    settles it (the grid's count if not yet). ``pay_day`` overrides the day, ``credited`` is what a
    red-letter item takes off, ``named`` says that payments name the item.
    """

    facility: Ints
    month: Ints
    kind: Ints
    issued_on: Ints
    due_on: Ints
    amount: Ints
    principal: Ints
    interest: Ints
    fee: Ints
    settles: Ints
    pay_day: Ints
    credited: Ints
    named: Bools

    @property
    def size(self) -> int:
        return int(self.facility.size)

    def take(self, chosen: Ints | Bools) -> DueItems:
        """The chosen items, in the order given."""
        return DueItems(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def changed(self, **columns: Ints | Bools) -> DueItems:
        """The same items with some columns replaced."""
        return replace(self, **columns)  # type: ignore[arg-type]


def join(parts: list[DueItems]) -> tuple[DueItems, Ints]:
    """All items of several sets, ordered by facility, due day and issue day.

    The second value is the place in that order of every item, set after set as given.
    """
    columns = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(DueItems)}
    order = np.lexsort((columns["issued_on"], columns["due_on"], columns["facility"]))
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    return DueItems(**{name: column[order] for name, column in columns.items()}), place


def new_items(
    facility: Ints, month: Ints, kind: int, issued_on: Ints, due_on: Ints, parts: tuple[Ints, Ints, Ints]
) -> DueItems:
    """Items whose amount is the sum of ``parts``: principal, interest and fee."""
    n = facility.size
    principal, interest, fee = parts
    return DueItems(
        facility=facility,
        month=month,
        kind=np.full(n, kind),
        issued_on=issued_on,
        due_on=due_on,
        amount=principal + interest + fee,
        principal=principal,
        interest=interest,
        fee=fee,
        settles=np.full(n, NEVER),
        pay_day=np.full(n, IN_ITS_MONTH),
        credited=np.zeros(n, dtype=np.int64),
        named=np.zeros(n, dtype=bool),
    )


def loan_items(seed: int, grid: MonthGrid, facilities: FacilityPlan) -> tuple[DueItems, DueItems]:
    """Full schedules of all loans (known from opening to maturity), and the handling fees of some.

    Instalment loans are repaid in equal instalments, term loans with equal principals.
    """
    loans = np.flatnonzero((facilities.kind == INSTALMENT) | (facilities.kind == TERM))
    term = (facilities.last_due - facilities.open_month)[loans]
    loan, rank = expand(term)
    principal, interest = _amortisation(facilities, loans, term)
    owner = loans[loan]
    month = facilities.first_due[owner] + rank
    schedule = new_items(
        owner,
        month,
        0,
        facilities.opened_on[owner],
        grid.day(month, facilities.due_day[owner]),
        (principal[loan, rank], interest[loan, rank], np.zeros(owner.size, dtype=np.int64)),
    )
    charged = loans[stream(seed, "handling fees").random(loans.size) < 0.12]
    nothing = np.zeros(charged.size, dtype=np.int64)
    opened_on = facilities.opened_on[charged]
    fee = np.maximum(100, facilities.principal[charged] // 100)
    fees = new_items(
        charged, facilities.open_month[charged], 3, opened_on, opened_on, (nothing, nothing, fee)
    )
    return schedule, fees.changed(pay_day=opened_on)


def _amortisation(facilities: FacilityPlan, loans: Ints, term: Ints) -> tuple[Ints, Ints]:
    """Principal and interest of every instalment, both of shape (loans, longest term)."""
    rates = np.array([product.annual_rate or 0.0 for product in PRODUCTS]) / 12
    rate = rates[facilities.product[loans]]
    balance = facilities.principal[loans].copy()
    equal = facilities.kind[loans] == INSTALMENT
    instalment = np.rint(balance * rate / (1 - (1 + rate) ** -term)).astype(np.int64)
    share = balance // np.maximum(term, 1)
    longest = int(term.max(initial=0))
    principal, interest = np.zeros((2, loans.size, longest), dtype=np.int64)
    for rank in range(longest):
        due = np.rint(balance * rate).astype(np.int64)
        part = np.where(equal, instalment - due, share)
        part = np.where(rank == term - 1, balance, np.minimum(part, balance))
        principal[:, rank], interest[:, rank] = part, due
        balance = balance - part
    return principal, interest


def card_items(grid: MonthGrid, facilities: FacilityPlan, paths: Paths, balances: Floats) -> DueItems:
    """Statements of used cards: the minimum payment on the balance of the month end before.

    ``balances`` (months, facilities) are month-end card balances in cents. A statement is issued
    20 days before it is due, so the last ones fall due after ``as_of``.
    """
    cards = np.flatnonzero((facilities.kind == CARD) & ~facilities.dormant)
    customer = facilities.customer[cards]
    last = np.minimum(facilities.last_due[cards], np.minimum(paths.written_off[customer], grid.count))
    card, rank = expand(np.maximum(0, last - facilities.first_due[cards] + 1))
    owner = cards[card]
    month = facilities.first_due[owner] + rank
    due_on = grid.day(month, facilities.due_day[owner])
    issued_on = np.maximum(due_on - _STATEMENT_LEAD_DAYS, facilities.opened_on[owner])
    known = issued_on <= grid.last_day
    owner, month, due_on, issued_on = owner[known], month[known], due_on[known], issued_on[known]
    balance = balances[month - 1, owner]
    rates = np.array([product.annual_rate or 0.0 for product in PRODUCTS])[facilities.product[owner]] / 12
    minimum = np.maximum(_MINIMUM_FLOOR, np.rint(balance * _MINIMUM_SHARE)).astype(np.int64)
    interest = np.minimum(np.rint(balance * rates * 0.6).astype(np.int64), minimum // 2)
    late = paths.past_due[month - 1, facilities.customer[owner]] > 0
    fee = np.where(late, np.rint(minimum * _LATE_FEE_SHARE), 0).astype(np.int64)
    return new_items(owner, month, 1, issued_on, due_on, (minimum - interest, interest, fee))


def with_settlement(grid: MonthGrid, facilities: FacilityPlan, paths: Paths, items: DueItems) -> DueItems:
    """Items with the month in which the customer's behaviour settles each of them."""
    months = settlement_month(paths.settled_through)
    customer = facilities.customer[items.facility]
    inside = items.month < grid.count
    settles = np.full(items.size, grid.count)
    settles[inside] = months[items.month[inside], customer[inside]]
    early = facilities.early_end[items.facility]
    repaid = (early >= 0) & (items.month > early)
    return items.changed(settles=np.where(repaid, early, settles).astype(np.int64))
