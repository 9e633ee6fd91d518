"""The real VAT invoices of 425 firms reconcile to the row: repeats, conflicts, void, red-letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from creditops.ingest import quarantine
from creditops.sources.contract import load_contract
from tests.ingest.real_books import ledger, load_real, select

BOOK = "sme_invoices"


@pytest.fixture(scope="module", autouse=True)
def book(module_warehouse: str, shared_data: Path) -> None:
    load_real("cumcm_sme_invoices", BOOK, shared_data / "cumcm2020c_sme_invoices")


def test_every_row_is_accounted_for() -> None:
    repeats, conflicts = 11_665, 5
    assert ledger(BOOK) == {
        "customers": (425, 425, 0, 0),
        "characteristics": (123, 123, 0, 0),
        "outcomes": (123, 123, 0, 0),
        "sme_invoices": (1_099_441, 1_099_441 - repeats - conflicts, repeats, conflicts),
    }


def test_every_file_is_accounted_for() -> None:
    found = select(
        "select split_part(file, '/', 3), rows_read, rows_unchanged, rows_quarantined from ops.load_ledger"
        " where book = %s and source = 'sme_invoices' order by 1",
        BOOK,
    )
    assert found == [
        ("sme_invoices.credit_history_input_invoices.csv", 210_947, 803, 0),
        ("sme_invoices.credit_history_output_invoices.csv", 162_484, 4_436, 0),
        ("sme_invoices.no_credit_history_input_invoices.csv", 395_175, 4_681, 2),
        ("sme_invoices.no_credit_history_output_invoices.csv", 330_835, 1_745, 3),
    ]


def test_an_invoice_that_is_both_valid_and_void_is_shown_with_the_line_it_conflicts_with() -> None:
    rows = quarantine.open_rows(BOOK)
    assert sorted(row["reasons"][0]["value"].split(", ")[2] for row in rows) == [
        "25396353",
        "25396354",
        "2746983",
        "2746984",
        "2746985",
    ]
    for row in rows:
        reason = row["reasons"][0]["reason"]
        assert "repeats the key (customer_id, direction, invoice_no, issued_on, counterparty_id)" in reason


def test_void_and_red_letter_invoices_are_told_apart() -> None:
    """Counts of the files without their exact repeats and conflicting rows."""
    ((rows, void, red, both, value),) = select(
        "select count(*), count(*) filter (where status = 'void'), count(*) filter (where amount < 0),"
        " count(*) filter (where status = 'void' and amount < 0), sum(total) from raw.sme_invoices"
        " where book = %s",
        BOOK,
    )
    assert (rows, void, red, both, value) == _counted_in_the_files()


def test_the_rating_is_kept_but_no_decision_may_rest_on_it() -> None:
    rating = load_contract("characteristics", BOOK).column("bank_rating")
    assert rating.protected
    assert select(
        'select bank_rating, count(*), count(*) filter (where "default")'
        " from raw.characteristics_sme_invoices join raw.outcomes using (book, customer_id, observed_on)"
        " group by 1 order by 1"
    ) == [("a", 27, 0), ("b", 38, 1), ("c", 34, 2), ("d", 24, 24)]


def test_names_of_firms_do_not_reach_the_warehouse() -> None:
    ((hashed,),) = select(
        "select count(*) from raw.customers where book = %s and name ~ '^[0-9a-f]{64}$'", BOOK
    )
    assert hashed == 425


def _counted_in_the_files() -> tuple[object, ...]:
    from decimal import Decimal

    import polars as pl

    from tests.conftest import SHARED_DATA

    totals = [0, 0, 0, 0, Decimal(0)]
    for file in sorted((SHARED_DATA / "cumcm2020c_sme_invoices").glob("*_invoices.csv.gz")):
        rows = pl.read_csv(file, infer_schema=False).with_columns(pl.all().str.strip_chars())
        rows = rows.unique(rows.columns[:4], keep="first", maintain_order=True)
        void, red = rows["发票状态"] == "作废发票", rows["金额"].str.starts_with("-")
        value = rows["价税合计"].cast(pl.Decimal(18, 2)).sum()
        counted = (len(rows), void.sum(), red.sum(), (void & red).sum(), value)
        totals = [a + b for a, b in zip(totals, counted, strict=True)]
    return tuple(totals)
