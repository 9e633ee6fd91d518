"""Trade credit on the real receivables: measures of docs/domain.md against the file itself."""

from __future__ import annotations

import csv
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from creditops.build import build
from tests.dbt.warehouse_rows import rows
from tests.ingest.real_books import load_real

BOOK = "trade_receivables"
AS_OF = date(2013, 6, 30)
PERIOD_START = date(2013, 3, 31)
BUCKETS = (("d120_plus", 120), ("d91_120", 90), ("d61_90", 60), ("d31_60", 30), ("d1_30", 0))


class Invoice:
    """A line of the file."""

    def __init__(self, line: dict[str, str]) -> None:
        def day(name: str) -> date:
            return datetime.strptime(line[name], "%m/%d/%Y").date()

        self.number, self.customer = line["invoiceNumber"], line["customerID"]
        self.issued_on, self.due_on, self.settled_on = day("InvoiceDate"), day("DueDate"), day("SettledDate")
        self.amount = Decimal(line["InvoiceAmount"])
        self.disputed = line["Disputed"] == "Yes"
        self.days_to_settle, self.days_late = int(line["DaysToSettle"]), int(line["DaysLate"])

    def is_open(self, day: date) -> bool:
        return self.issued_on <= day < self.settled_on

    def disputed_by(self, day: date) -> bool:
        """A dispute shows on the due day, or with an earlier settlement."""
        return self.disputed and min(self.due_on, self.settled_on) <= day


@pytest.fixture(scope="module")
def invoices(shared_data: Path) -> list[Invoice]:
    path = shared_data / "ibm_accounts_receivable" / "WA_Fn-UseC_-Accounts-Receivable.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [Invoice(line) for line in csv.DictReader(file)]


@pytest.fixture(scope="module", autouse=True)
def book(module_warehouse: str, shared_data: Path) -> None:
    load_real("ibm_receivables", BOOK, shared_data / "ibm_accounts_receivable")
    layers = ("intermediate", "marts")
    build(BOOK, date(2014, 1, 31), layers=layers, schema_prefix="settled_", checks=False)
    build(BOOK, AS_OF)


def ageing() -> dict[str, dict[str, object]]:
    return {row["customer_id"]: row for row in rows("select * from marts.fct_receivables_ageing")}


def test_days_to_settle_and_days_late_equal_the_files_own(invoices: list[Invoice]) -> None:
    found = {
        row["due_item_id"]: (row["days_to_settle"], row["days_late"])
        for row in rows("select due_item_id, days_to_settle, days_late from settled_marts.fct_receivable")
    }

    assert len(found) == 2466
    assert found == {i.number: (i.days_to_settle, i.days_late) for i in invoices}


def test_ageing_reconciles_to_the_open_invoices_to_the_cent(invoices: list[Invoice]) -> None:
    expected: dict[str, dict[str, Decimal]] = {}
    for invoice in invoices:
        if invoice.issued_on > AS_OF:
            continue
        cells = expected.setdefault(invoice.customer, dict.fromkeys(
            ("not_due", "disputed", *(name for name, _ in BUCKETS)), Decimal(0)
        ))  # fmt: skip
        if not invoice.is_open(AS_OF):
            continue
        late = (AS_OF - invoice.due_on).days
        bucket = next((name for name, days in BUCKETS if late > days), "not_due")
        cells["disputed" if invoice.disputed_by(AS_OF) else bucket] += invoice.amount

    found = {
        customer: {name: row[name] for name in ("not_due", "disputed", *(name for name, _ in BUCKETS))}
        for customer, row in ageing().items()
    }

    assert found == expected
    total = sum(i.amount for i in invoices if i.is_open(AS_OF))
    assert sum(row["receivables"] for row in ageing().values()) == total == Decimal("5119.85")


def test_dso_dbt_and_cei_follow_their_definitions(invoices: list[Invoice]) -> None:
    days = (AS_OF - PERIOD_START).days
    measured = ageing()
    for customer, row in measured.items():
        own = [i for i in invoices if i.customer == customer and i.issued_on <= AS_OF]
        closing = sum(i.amount for i in own if i.is_open(AS_OF))
        not_due = sum(
            i.amount for i in own if i.is_open(AS_OF) and i.due_on >= AS_OF and not i.disputed_by(AS_OF)
        )
        opening = sum(i.amount for i in own if i.is_open(PERIOD_START))
        sales = sum(i.amount for i in own if i.issued_on > PERIOD_START)
        assert (row["opening_receivables"], row["credit_sales"]) == (opening, sales)
        assert row["dso"] == (pytest.approx(float(closing * days / sales)) if sales else None)
        assert row["best_possible_dso"] == (pytest.approx(float(not_due * days / sales)) if sales else None)
        rest = opening + sales - not_due
        cei = pytest.approx(float(100 * (opening + sales - closing) / rest)) if rest else None
        assert row["cei"] == cei
        counted = [
            (i.amount, (min(i.settled_on, AS_OF) - i.due_on).days)
            for i in own
            if not i.disputed_by(AS_OF)
            and (PERIOD_START < i.settled_on <= AS_OF or i.due_on < AS_OF < i.settled_on)
        ]  # fmt: skip
        weight = sum(amount for amount, _ in counted)
        mean = pytest.approx(float(sum(a * d for a, d in counted) / weight)) if weight else None
        assert row["dbt_days"] == mean, customer


def test_countback_takes_off_the_newest_sales_first(invoices: list[Invoice]) -> None:
    """Month by month with a share of the last one, a year at most; without sales there are no such days."""
    for customer, row in ageing().items():
        own = [i for i in invoices if i.customer == customer and i.issued_on <= AS_OF]
        left = sum((i.amount for i in own if i.is_open(AS_OF)), Decimal(0))
        expected, end = Decimal(0), AS_OF
        while left > 0 and end > AS_OF - timedelta(days=365):
            start = end.replace(day=1)
            sales = sum((i.amount for i in own if start <= i.issued_on <= end), Decimal(0))
            length = (end - start).days + 1
            expected += length * (min(left / sales, Decimal(1)) if sales else 1)
            left -= sales
            end = start - timedelta(days=1)
        meant = left <= 0 and any(i.issued_on > AS_OF - timedelta(days=365) for i in own)
        assert row["countback_dso"] == (pytest.approx(float(expected)) if meant else None), customer


def test_features_at_a_month_end_use_only_what_was_settled_by_then(invoices: list[Invoice]) -> None:
    found = {
        row["customer_id"]: row
        for row in rows("select * from features.feat_trade_payment where observation_date = %s", AS_OF)
    }
    start = date(2012, 6, 30)
    for customer, row in found.items():
        own = [i for i in invoices if i.customer == customer and i.issued_on <= AS_OF]
        paid = [(i.amount, (i.settled_on - i.due_on).days) for i in own if start < i.settled_on <= AS_OF]
        weight = sum(amount for amount, _ in paid)
        mean = pytest.approx(float(sum(a * d for a, d in paid) / weight)) if weight else None
        assert row["days_beyond_terms_12m"] == mean
        assert row["invoices_12m"] == sum(i.issued_on > start for i in own)
        assert row["receivables"] == sum(i.amount for i in own if i.is_open(AS_OF))
    assert len(found) == len({i.customer for i in invoices if i.issued_on <= AS_OF})
