"""The month-end panel: who owes what on which facility at each month end (docs/domain.md).

Readings taken where docs/domain.md leaves a choice:

- What is applied to a loan's item settles its fee and interest first and its principal last (Civil Code
  of China, art. 561).
- A card's balance is its statement balance of the month end, else of the newest before it.
- A loan whose whole schedule stays settled is closed by that, with or without a closing row.
- "Open invoices less credit" counts invoices issued by the day; a red-letter item counts from its due day
  on.
- The class of an account follows its undisputed days past due, since disputed invoices are left out of
  default and default follows from class.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from tests.audit.oracle_settlement import Account, accounts
from tests.audit.sources import Row, Sources, Versions, cents, day, month_end, month_ends

BUCKETS = (0, 30, 60, 90, 120, 150, 180)
LOANS = ("instalment_loan", "term_loan")
CLOSED, WRITTEN_OFF, NOT_YET = "closed", "written_off", "not_yet"


def bucket(dpd: int) -> str:
    """M0 current, M1 1-30, ... M6 151-180, M7 over 180."""
    return f"M{sum(dpd > limit for limit in BUCKETS)}"


@dataclass
class Cell:
    """A facility at a month end; money in cents."""

    facility: str
    on: date
    customer: str
    product: str
    partner: str
    balance: int
    limit: int | None
    dpd: int
    clean_dpd: int
    overdue: int
    status: str
    mob: int
    manual: str


class Panel:
    """Cells of every facility at every month end up to the day, and of the day."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.accounts = accounts(sources)
        self.opened = {key: day(v.first["opened_on"]) for key, v in sources.facilities.items()}
        snapshots = sources.grouped("facility_snapshots", "facility_id")
        self._snapshots = {
            key: sorted((day(row["month_end"]), cents(row["balance"]), row["credit_limit"]) for row in rows)
            for key, rows in snapshots.items()
        }
        self._paid_up: dict[str, date | None] = {}
        self.types = {key: row["product_type"] for key, row in sources.products.items()}

    def version(self, facility: str, on: date) -> Row:
        versions = self.sources.facilities[facility]
        return versions.on(on) or versions.first

    def kind(self, facility: str) -> str:
        return self.types[self.sources.facilities[facility].first["product_id"]]

    def written_off_on(self, facility: str, by: date) -> date | None:
        row = self.version(facility, by)
        if row["status"] != "written_off":
            return None
        first = next(r for r in self.sources.facilities[facility].rows if r["status"] == "written_off")
        return day(first["closed_on"] or first["effective_date"])

    def paid_up_on(self, facility: str) -> date | None:
        """Day from which a loan's whole schedule stays settled, so that nothing is owed or can be drawn."""
        if facility not in self._paid_up:
            account, end = self.accounts[facility], None
            principal = cents(self.version(facility, self.sources.as_of)["principal"])
            scheduled = sum(item.principal or 0 for item in account.items)
            if self.kind(facility) in LOANS and account.items and scheduled >= principal:
                end = account.all_settled_on(self.sources.as_of)
            self._paid_up[facility] = end
        return self._paid_up[facility]

    def state(self, facility: str, on: date) -> str:
        """``active``, ``closed_with_arrears``, or why it is no longer (or not yet) in the panel."""
        if self.opened[facility] > on:
            return NOT_YET
        gone = self.written_off_on(facility, on)
        if gone is not None and gone <= on:
            return WRITTEN_OFF
        row = self.version(facility, on)
        if (end := self.paid_up_on(facility)) is not None and end <= on:
            return CLOSED
        if row["closed_on"] and day(row["closed_on"]) <= on:
            return CLOSED if self.accounts[facility].is_settled(on) else "closed_with_arrears"
        return row["status"]

    def limit(self, facility: str, on: date) -> int | None:
        """The limit that the snapshot of the day reports, else that of the facility."""
        rows = self._snapshots.get(facility, [])
        place = bisect_right(rows, (on, 1 << 62, ""))
        reported = rows[place - 1][2] if place and rows[place - 1][0] == on else ""
        told = reported or self.version(facility, on)["credit_limit"]
        return cents(told) if told else None

    def balance(self, facility: str, on: date) -> int:
        """What is owed, below 0 in credit; written off or closed it is for the caller to leave out."""
        account, kind = self.accounts[facility], self.kind(facility)
        standing, over = account.queue(on)
        if kind == "revolving_card":
            rows = self._snapshots.get(facility, [])
            place = bisect_right(rows, (on, 1 << 62, ""))
            if place:
                return rows[place - 1][1]
            return sum(each.unsettled for each in standing if each.item.issued <= on) - over
        if kind == "trade_credit":
            return sum(each.unsettled for each in standing if each.item.issued <= on) - over
        if any(each.item.principal is None for each in standing):
            return sum(each.unsettled for each in standing)
        owed = sum(min(each.unsettled, each.item.principal or 0) for each in standing)
        scheduled = sum(each.item.principal or 0 for each in standing)
        return cents(self.version(facility, on)["principal"]) - scheduled + owed

    def cell(self, facility: str, on: date) -> Cell | None:
        state = self.state(facility, on)
        if state in (CLOSED, WRITTEN_OFF, NOT_YET):
            return None
        row, account = self.version(facility, on), self.accounts[facility]
        mob = (on.year - self.opened[facility].year) * 12 + on.month - self.opened[facility].month
        return Cell(
            facility, on, row["customer_id"], row["product_id"], row["partner_id"],
            max(0, self.balance(facility, on)), self.limit(facility, on),
            account.dpd(on), account.dpd(on, undisputed=True), account.overdue(on), state, mob,
            row["manual_class"],
        )  # fmt: skip

    @cached_property
    def months(self) -> list[date]:
        return month_ends(min(self.opened.values()), self.sources.as_of)

    @cached_property
    def cells(self) -> dict[tuple[str, date], Cell]:
        """Every cell by facility and month end."""
        found = {}
        for facility, opened in self.opened.items():
            for on in month_ends(opened, self.sources.as_of):
                if (cell := self.cell(facility, on)) is not None:
                    found[facility, on] = cell
                elif self.state(facility, on) == WRITTEN_OFF:
                    break
        return found

    @cached_property
    def by_month(self) -> dict[date, list[Cell]]:
        found: dict[date, list[Cell]] = defaultdict(list)
        for cell in self.cells.values():
            found[cell.on].append(cell)
        return found

    @cached_property
    def by_facility(self) -> dict[str, list[Cell]]:
        found: dict[str, list[Cell]] = defaultdict(list)
        for cell in self.cells.values():
            found[cell.facility].append(cell)
        return found


__all__ = ["Account", "Cell", "Panel", "Versions", "bucket", "month_end"]
