"""Source files of a book as plain rows, each key in the version known last."""

from __future__ import annotations

import csv
from bisect import bisect_right
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

Row = dict[str, str]

KEYS: dict[str, tuple[str, ...]] = {
    "customers": ("customer_id", "effective_date"),
    "groups": ("group_id", "effective_date"),
    "products": ("product_id", "effective_date"),
    "partners": ("partner_id", "effective_date"),
    "applications": ("application_id", "stage_at"),
    "facilities": ("facility_id", "effective_date"),
    "macro_series": ("series_id", "period", "published_on"),
    "industry_series": ("series_id", "period", "published_on"),
    "competitor_products": ("competitor", "product_type", "observed_on"),
    "due_items": ("due_item_id",),
    "payments": ("payment_id",),
    "facility_snapshots": ("facility_id", "month_end"),
    "disputes": ("dispute_id",),
    "collection_actions": ("action_id",),
    "promises": ("promise_id",),
    "statements": ("customer_id", "period_end", "published_on"),
    "sme_invoices": ("customer_id", "direction", "invoice_no", "issued_on", "counterparty_id"),
    "bureau_reports": ("report_id",),
    "bureau_tradelines": ("report_id", "tradeline_id"),
    "bureau_inquiries": ("report_id", "inquired_on", "inquirer"),
    "bureau_public_records": ("report_id", "record_id"),
}


def day(text: str) -> date:
    return date.fromisoformat(text[:10])


def cents(text: str) -> int:
    """``1234.5`` as 123450; empty as 0."""
    if not text:
        return 0
    whole, _, part = text.lstrip("+-").partition(".")
    value = int(whole or 0) * 100 + int((part + "00")[:2])
    return -value if text.startswith("-") else value


def month_end(on: date, months: int = 0) -> date:
    """Last day of the month of ``on``, or of the one so many months later."""
    index = on.year * 12 + on.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])


def add_months(on: date, months: int) -> date:
    """The same day so many months later, the month's last where it has no such day."""
    end = month_end(on, months)
    return end if on.day > end.day else end.replace(day=on.day)


def months_between(first: date, last: date) -> int:
    """Months from the month of ``first`` to that of ``last``."""
    return (last.year - first.year) * 12 + last.month - first.month


def month_ends(first: date, last: date) -> list[date]:
    found, end = [], month_end(first)
    while end <= last:
        found.append(end)
        end = month_end(end, 1)
    return found


class Versions:
    """Rows of one thing, each from its day on."""

    def __init__(self, rows: Iterable[Row], column: str = "effective_date") -> None:
        self.rows = sorted(rows, key=lambda row: row[column])
        self.days = [day(row[column]) for row in self.rows]

    def on(self, when: date) -> Row | None:
        """The row that holds on a day."""
        place = bisect_right(self.days, when)
        return self.rows[place - 1] if place else None

    @property
    def first(self) -> Row:
        return self.rows[0]


class Sources:
    """Every delivered file of a book, deliveries in their order; the last row of a key counts."""

    def __init__(self, deliveries: Sequence[Path], as_of: date) -> None:
        self.as_of = as_of
        self._rows: dict[str, dict[tuple[str, ...], Row]] = {name: {} for name in KEYS}
        for folder in deliveries:
            for path in sorted(folder.glob("*.csv"), key=lambda path: (path.name.count("."), path.name)):
                source = path.name.partition(".")[0]
                with path.open(encoding="utf-8", newline="") as file:
                    for row in csv.DictReader(file):
                        self._rows[source][tuple(row[name] for name in KEYS[source])] = row

    def rows(self, source: str) -> list[Row]:
        return list(self._rows[source].values())

    def grouped(self, source: str, column: str) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows(source):
            found[row[column]].append(row)
        return found

    def versions(self, source: str, column: str) -> dict[str, Versions]:
        return {
            key: Versions(rows)
            for key, rows in self.grouped(source, column).items()
            if min(row["effective_date"] for row in rows) <= self.as_of.isoformat()
        }

    @cached_property
    def customers(self) -> dict[str, Row]:
        """Each customer as of the day."""
        return {
            key: row
            for key, v in self.versions("customers", "customer_id").items()
            if (row := v.on(self.as_of))
        }

    @cached_property
    def products(self) -> dict[str, Row]:
        return {
            key: row
            for key, v in self.versions("products", "product_id").items()
            if (row := v.on(self.as_of))
        }

    @cached_property
    def partners(self) -> dict[str, Row]:
        return {
            key: row
            for key, v in self.versions("partners", "partner_id").items()
            if (row := v.on(self.as_of))
        }

    @cached_property
    def facilities(self) -> dict[str, Versions]:
        return self.versions("facilities", "facility_id")

    @cached_property
    def top_group(self) -> dict[str, str]:
        """The top of each group's tree."""
        parents = {
            key: row["parent_group_id"]
            for key, v in self.versions("groups", "group_id").items()
            if (row := v.on(self.as_of))
        }
        tops: dict[str, str] = {}
        for group in parents:
            top, seen = group, {group}
            while (parent := parents.get(top)) and parent not in seen:
                top = parent
                seen.add(top)
            tops[group] = top
        return tops


def number(value: Any) -> float | None:
    return None if value in ("", None) else float(value)


__all__ = ["KEYS", "Row", "Sources", "Versions", "timedelta"]
