"""The real consumer lender's rows reconcile to the row, and every orphan is listed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from creditops.cli import app
from creditops.ingest import quarantine
from creditops.ingest.check.orphans import Orphan, list_orphans
from tests.conftest import SHARED_DATA
from tests.ingest.real_books import ledger, load_real, select

BOOK = "home_credit"
ROWS = 20_000


@pytest.fixture(scope="module", autouse=True)
def book(module_warehouse: str, shared_data: Path) -> None:
    load_real("home_credit", BOOK, shared_data / "home_credit_rows")


@pytest.fixture(scope="module")
def orphans(book: None) -> list[Orphan]:
    return list_orphans(BOOK)


def table(name: str) -> pl.DataFrame:
    return pl.read_csv(SHARED_DATA / "home_credit_rows" / f"{name}.csv.gz", infer_schema=False)


def test_five_times_twenty_thousand_rows_are_accounted_for() -> None:
    customers = len(
        set(table("POS_CASH_balance")["SK_ID_CURR"]) | set(table("credit_card_balance")["SK_ID_CURR"])
    )
    assert ledger(BOOK) == {
        "products": (2, 2, 0, 0),
        "customers": (13_931 + 7_855, customers, 13_931 + 7_855 - customers, 0),
        "facilities": (2 * ROWS, 2 * ROWS, 0, 0),
        "facility_snapshots": (2 * ROWS, 2 * ROWS - 54, 0, 54),
        "due_items": (ROWS, 19_983, 17, 0),
        "payments": (ROWS - 4, ROWS - 4, 0, 0),
        "bureau_reports": (13_897, 13_897, 0, 0),
        "bureau_tradelines": (ROWS, ROWS, 0, 0),
        "bureau_tradeline_months": (ROWS, ROWS, 0, 0),
    }


def test_a_state_without_a_balance_is_quarantined_as_such() -> None:
    rows = quarantine.open_rows(BOOK)
    said = table("POS_CASH_balance").with_row_index("line", offset=2)
    assert [row["line"] for row in rows] == said.filter(pl.col("CNT_INSTALMENT_FUTURE").is_null())[
        "line"
    ].to_list()
    assert {(row["reasons"][0]["column"], row["reasons"][0]["reason"]) for row in rows} == {
        ("balance", "is empty")
    }


def test_every_orphan_is_listed(orphans: list[Orphan]) -> None:
    """Counted again from the files: the keys of each table that have no partner in the other."""
    states = pl.concat(
        table(name).select("SK_ID_PREV", "SK_ID_CURR") for name in ("POS_CASH_balance", "credit_card_balance")
    )
    facilities, customers = set(states["SK_ID_PREV"]), set(states["SK_ID_CURR"])
    instalments, bureau = table("installments_payments"), table("bureau")
    alone = instalments.filter(~pl.col("SK_ID_PREV").is_in(list(facilities)))
    due = alone.unique(["SK_ID_PREV", "NUM_INSTALMENT_VERSION", "NUM_INSTALMENT_NUMBER"])
    paid = alone.filter(pl.col("AMT_PAYMENT").is_not_null())
    strangers = set(bureau["SK_ID_CURR"]) - customers
    months = table("bureau_balance").filter(~pl.col("SK_ID_BUREAU").is_in(bureau["SK_ID_BUREAU"].to_list()))
    assert Counter((each.source, each.missing_in) for each in orphans) == {
        ("due_items", "facilities"): len(due),
        ("payments", "facilities"): len(paid),
        ("bureau_reports", "customers"): len(strangers),
        ("bureau_tradeline_months", "bureau_tradelines"): len(months),
    }
    assert len(months) == ROWS - 381
    assert len(alone) == ROWS - 8_216


def test_an_orphan_is_listed_with_its_line_and_key(orphans: list[Orphan]) -> None:
    months = [each for each in orphans if each.source == "bureau_tradeline_months"]
    said = table("bureau_balance").with_row_index("line", offset=2)
    keys = dict(said.select("line", "SK_ID_BUREAU").iter_rows())
    assert all(keys[each.line] == each.value for each in months)
    assert months[0].file.endswith("bureau_tradeline_months.bureau_balance.csv")


def test_orphans_can_be_read_by_a_program(orphans: list[Orphan]) -> None:
    answer = CliRunner().invoke(app, ["orphans", BOOK, "--source", "payments", "--json"])
    assert answer.exit_code == 0
    assert json.loads(answer.stdout) == [vars(each) for each in orphans if each.source == "payments"]


def test_relative_days_are_resolved_against_the_reference_day() -> None:
    """First instalment row: due 725 and paid 748 days before, 33952.005 due, 2492.145 paid."""
    assert select(
        "select d.due_date, d.amount_due::text, p.value_date, p.amount::text from raw.due_items d"
        " join raw.payments p using (book, due_item_id) where d.facility_id = 'HC2108382'"
        " and d.due_item_id = 'HC2108382-11-1' and p.value_date = date '2018-05-31' - 748"
    ) == select("select date '2018-05-31' - 725, '33952.01', date '2018-05-31' - 748, '2492.15'")


def test_month_zero_ends_on_the_reference_day() -> None:
    assert select("select max(month_end)::text, min(month_end)::text from raw.bureau_tradeline_months") == [
        ("2018-05-31", "2010-05-31")
    ]
