"""Whom the early-warning rules name on the day, for rules whose inputs follow from the sources.

Conditions, populations, severities and thresholds are read from the rules' YAML and decided by DuckDB;
the values are made here. A facility that was not there a month before was not past due then. A customer
whose latest bureau reports are two of one day is left out of the bureau rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from tests.audit.compare import Difference
from tests.audit.oracle_bureau import STATES, Bureau
from tests.audit.oracle_default import Classes
from tests.audit.oracle_desk import held
from tests.audit.oracle_flow import first_item, first_settled_on
from tests.audit.oracle_panel import Cell, Panel, bucket
from tests.audit.oracle_statements import Statement, Statements, z2
from tests.audit.sources import Row, add_months, cents, day, month_end, months_between
from tests.audit.sql_rules import select

Rows = list[dict[str, Any]]
SEVERITIES = ("yellow", "orange", "red")
HISTORY = {str(n): n for n in range(8)} | {"W": 8}


class Subjects:
    """Rows that rules look at, by subject."""

    def __init__(self, panel: Panel, classes: Classes) -> None:
        self.panel, self.classes, self.on = panel, classes, panel.sources.as_of
        self.held = held(panel)
        self.bureau_reports = Bureau(panel.sources)
        self.tied: set[str] = set()
        self._rows: dict[str, Rows] = {}

    def rows(self, subject: str) -> Rows:
        """The rows of a subject by its name."""
        if subject not in self._rows:
            self._rows[subject] = getattr(self, subject)()
        return self._rows[subject]

    def facility_month(self) -> Rows:
        found: Rows = []
        before = month_end(self.on, -1)
        for customer, cells in self.held.items():
            for cell in cells:
                last = self.panel.cells.get((cell.facility, before))
                three = [self.panel.cells.get((cell.facility, month_end(self.on, -k))) for k in range(3)]
                seen = [each for each in three if each is not None]
                used = [each.balance / each.limit for each in seen if each.limit]
                first = first_item(self.panel, cell.facility)
                oldest = self.panel.accounts[cell.facility].oldest(self.on)
                found.append({
                    "customer_id": customer, "facility_id": cell.facility, "mob": cell.mob,
                    "product_type": self.panel.kind(cell.facility), "balance": cell.balance / 100,
                    "credit_limit": cell.limit / 100 if cell.limit is not None else None,
                    "overdue_amount": cell.overdue / 100, "dpd": cell.dpd, "bucket": bucket(cell.dpd),
                    "bucket_1m": bucket(last.dpd if last else 0),
                    "is_default": self.classes.is_default(cell.facility, self.on),
                    "is_default_1m": bool(last) and self.classes.is_default(cell.facility, before),
                    "utilisation": cell.balance / cell.limit if cell.limit else None,
                    "utilisation_min_3m": min(used) if used else None,
                    "months_seen_3m": len(seen),
                    "oldest_due_date": oldest if oldest <= self.on else None,
                    "first_due_open_days": _open_days(self.panel, cell.facility, self.on),
                    "first_due_month": month_end(first.due) if first else None,
                })  # fmt: skip
        return found

    def bureau(self) -> Rows:
        found: Rows = []
        for customer in self.panel.sources.customers:
            now = self._report(customer, self.on)
            if now is None or now["hit"] != "true":
                continue
            before, half_year = (self._report(customer, month_end(self.on, -k)) for k in (3, 6))
            earlier_hit = half_year is not None and half_year["hit"] == "true"
            hit_before = before is not None and before["hit"] == "true"
            found.append({
                "customer_id": customer,
                "bureau_exposure": self._exposure(now),
                "bureau_exposure_6m_before": self._exposure(half_year) if half_year and earlier_hit else None,
                "bureau_worst_3m": self._worst_3m(now),
                "bureau_worst_3m_before": self._worst_3m(before) if hit_before and before else None,
                "hit_before": hit_before,
                "inquiries_3m": self._hard(now, 3),
                "public_records": self._records(now),
                "public_records_before": self._records(before) if hit_before and before else None,
                "overdue_elsewhere": self._overdue(now),
                "overdue_elsewhere_before": self._overdue(before) if hit_before and before else None,
            })  # fmt: skip
        return found

    def _report(self, customer: str, on: date) -> Row | None:
        reports = self.bureau_reports.latest(customer, on)
        if len(reports) > 1:
            self.tied.add(customer)
        return reports[0] if reports else None

    def _lines(self, report: Row) -> Iterable[Row]:
        return (
            line
            for line in self.bureau_reports.lines.get(report["report_id"], ())
            if line["guarantee"] != "true"
        )

    def _exposure(self, report: Row) -> float:
        return sum(cents(line["balance"]) for line in self._lines(report)) / 100

    def _overdue(self, report: Row) -> float:
        return sum(cents(line["overdue_amount"]) for line in self._lines(report)) / 100

    def _worst_3m(self, report: Row) -> int | None:
        states = [
            max([HISTORY[c] for c in line["history"][:3] if c in HISTORY] + [STATES[line["status_now"]]])
            for line in self._lines(report)
        ]
        return max(states, default=None)

    def _hard(self, report: Row, months: int) -> int:
        return sum(
            row["reason"] == "credit_application" and day(row["inquired_on"]) > add_months(self.on, -months)
            for row in self.bureau_reports.inquiries.get(report["report_id"], ())
        )

    def _records(self, report: Row) -> int:
        return len(self.bureau_reports.records.get(report["report_id"], ()))

    def corporate_financial(self) -> Rows:
        statements = Statements(self.panel.sources)
        found: Rows = []
        for customer, person in self.panel.sources.customers.items():
            every = statements.all(customer, self.on)
            if person["customer_type"] != "corporate" or not every:
                continue
            last, ends = every[-1], {each.period_end: each for each in every}
            before = every[-2] if len(every) > 1 else None
            year_ago = ends.get(month_end(last.period_end, -12))
            past = [
                z for each in every[:-1]
                if each.period_end >= month_end(last.period_end, -12) and (z := z2(each)) is not None
            ]  # fmt: skip
            audited = [each for each in every if each.row["audited"] == "true" and each.months == 12]
            found.append({
                "customer_id": customer,
                "z2_score": z2(last),
                "z2_score_max_12m": max(past, default=None),
                "interest_cover": _ratio(last.flows["ebit"], last.flows["interest_expense"]),
                "receivable_days": _days(last),
                "receivable_days_12m_before": _days(year_ago) if year_ago else None,
                "sales_growth_yoy": _growth(last, year_ago),
                "cfo_to_debt": _cfo_to_debt(last),
                "cfo_to_debt_before": _cfo_to_debt(before) if before else None,
                "statement_age_months": months_between(last.period_end, self.on),
                "opinion": audited[-1].row["opinion"] if audited else None,
            })  # fmt: skip
        return found

    def sme_invoice(self) -> Rows:
        by_customer = self.panel.sources.grouped("sme_invoices", "customer_id")
        found: Rows = []
        for customer, invoices in by_customer.items():
            sales: dict[int, int] = defaultdict(int)
            counts: dict[int, int] = defaultdict(int)
            voids: dict[int, int] = defaultdict(int)
            buyers: dict[str, int] = defaultdict(int)
            for row in invoices:
                issued = day(row["issued_on"])
                back = months_between(issued, self.on)
                if row["direction"] != "sale" or issued > self.on or not 0 <= back < 12:
                    continue
                counts[back] += 1
                if row["status"] == "void":
                    voids[back] += 1
                else:
                    sales[back] += cents(row["amount"])
                    buyers[row["counterparty_id"]] += cents(row["amount"])
            positive = {buyer: amount for buyer, amount in buyers.items() if amount > 0}
            total = sum(counts[k] for k in range(3))
            found.append({
                "customer_id": customer,
                "sales_3m": sum(sales[k] for k in range(3)) / 100,
                "sales_3m_before": sum(sales[k] for k in range(3, 6)) / 100,
                "sales_12m": sum(sales.values()) / 100,
                "invoices_3m": total,
                "months_seen_12m": sum(bool(counts[k]) for k in range(12)),
                "void_rate_3m": sum(voids[k] for k in range(3)) / total if total else None,
                "top_buyer_share": max(positive.values()) / sum(positive.values()) if positive else None,
            })  # fmt: skip
        return found


def _open_days(panel: Panel, facility: str, on: date) -> int | None:
    """Days that the first due has been unpaid after its day; none if it is settled or not due."""
    first = first_item(panel, facility)
    if first is None or first.due >= on or first_settled_on(panel, facility) is not None:
        return None
    return (on - first.due).days


def _ratio(over: float | None, under: float | None) -> float | None:
    return over / under if over is not None and under is not None and under > 0 else None


def _days(statement: Statement) -> float | None:
    ratio = _ratio(statement.stock("receivables"), statement.flows["revenue"])
    return None if ratio is None else ratio * 365


def _growth(last: Statement, year_ago: Statement | None) -> float | None:
    """Against the same period of last year, period by period."""
    if year_ago is None or year_ago.months != last.months:
        return None
    ratio = _ratio(last.stock("revenue"), year_ago.stock("revenue"))
    return None if ratio is None else ratio - 1


def _cfo_to_debt(statement: Statement) -> float | None:
    debt = [statement.stock(name) for name in ("short_term_debt", "long_term_debt")]
    if None in debt:
        return None
    return _ratio(statement.flows["cfo"], sum(debt))  # type: ignore[arg-type]


def rules(folder: Path) -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yml"))]


def warned(subjects: Subjects, rule: dict[str, Any]) -> dict[str, str]:
    """Customers whom a rule names, each with the worst severity."""
    rows, parameters = subjects.rows(rule["subject"]), rule.get("parameters", {})
    if "population" in rule:
        rows = select(rows, rule["population"], parameters)
    rows = select(rows, rule["condition"], parameters)
    owing = {customer for customer, cells in subjects.held.items() if cells}
    found: dict[str, str] = {}
    steps = rule["severity"] if isinstance(rule["severity"], list) else [{"level": rule["severity"]}]
    left = [row for row in rows if row["customer_id"] in owing]
    for step in steps:
        hit = select(left, step["when"], parameters) if "when" in step else left
        for row in hit:
            customer = row["customer_id"]
            if (
                SEVERITIES.index(step["level"]) > SEVERITIES.index(found.get(customer, "yellow"))
                or customer not in found
            ):
                found[customer] = step["level"]
        left = [row for row in left if row not in hit]
    return found


def differences(
    subjects: Subjects, rule: dict[str, Any], published: Iterable[dict[str, Any]]
) -> list[Difference]:
    """Of a book's first run: every warning is raised by the day's condition."""
    expected = warned(subjects, rule)
    shown = {row["customer_id"]: row["severity"] for row in published if row["rule_id"] == rule["id"]}
    left_out = subjects.tied if rule["subject"] == "bureau" else set()
    return [
        Difference(
            "early_warnings", (rule["id"], customer), "severity", shown.get(customer), expected.get(customer)
        )
        for customer in sorted(expected.keys() | shown.keys())
        if customer not in left_out and expected.get(customer) != shown.get(customer)
    ]


__all__ = ["Cell", "Subjects", "differences", "rules", "warned"]
