"""Financial statements (docs/domain.md): the one in force for a day, trailing twelve months, Altman's Z''."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from tests.audit.sources import Row, Sources, day, month_end, number

FLOWS = ("revenue", "cost_of_sales", "gross_profit", "operating_profit", "ebit", "interest_expense",
         "net_profit", "depreciation", "cfo", "cfi", "cff")  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """A period's statement as known on a day, flows over trailing twelve months."""

    period_end: date
    months: int
    row: Row
    flows: dict[str, float | None]

    def stock(self, name: str) -> float | None:
        return number(self.row[name])


class Statements:
    """Statements of every customer."""

    def __init__(self, sources: Sources) -> None:
        self._rows: dict[str, list[Row]] = sources.grouped("statements", "customer_id")

    def known(self, customer: str, on: date) -> dict[date, Row]:
        """By period end, the row published last by a day."""
        found: dict[date, Row] = {}
        for row in sorted(self._rows.get(customer, ()), key=lambda row: row["published_on"]):
            if day(row["published_on"]) <= on and day(row["period_end"]) <= on:
                found[day(row["period_end"])] = row
        return found

    def all(self, customer: str, on: date) -> list[Statement]:
        """Oldest first."""
        known = self.known(customer, on)
        return [self._read(known, end) for end in sorted(known)]

    def latest(self, customer: str, on: date) -> Statement | None:
        known = self.known(customer, on)
        return self._read(known, max(known)) if known else None

    def _read(self, known: dict[date, Row], end: date) -> Statement:
        row = known[end]
        months = int(row["months"])
        return Statement(end, months, row, {name: self._trailing(known, end, months, name) for name in FLOWS})

    @staticmethod
    def _trailing(known: dict[date, Row], end: date, months: int, name: str) -> float | None:
        """This year to date plus last full year less last year to date; else the period times 12 / months."""
        value = number(known[end][name])
        if months == 12 or value is None:
            return value
        year, before = known.get(month_end(end, -months)), known.get(month_end(end, -12))
        if year and before and year["months"] == "12" and int(before["months"]) == months:
            full, part = number(year[name]), number(before[name])
            if full is not None and part is not None:
                return value + full - part
        return value * 12 / months


def z2(statement: Statement) -> float | None:
    """Z'' of 1995: 6.56 WC/TA + 3.26 RE/TA + 6.72 EBIT/TA + 1.05 BVE/TL."""
    names = (
        "current_assets",
        "current_liabilities",
        "total_assets",
        "retained_earnings",
        "equity",
        "total_liabilities",
    )
    ca, cl, ta, re, bve, tl = (statement.stock(name) for name in names)
    ebit = statement.flows["ebit"]
    if None in (ca, cl, ta, re, bve, tl, ebit) or ta <= 0 or tl <= 0:  # type: ignore[operator]
        return None
    return 6.56 * (ca - cl) / ta + 3.26 * re / ta + 6.72 * ebit / ta + 1.05 * bve / tl  # type: ignore[operator]


def zone(z: float | None) -> str | None:
    if z is None:
        return None
    return "distress" if z < 1.10 else "safe" if z > 2.60 else "grey"


def by_customer(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["customer_id"]].append(row)
    return found
