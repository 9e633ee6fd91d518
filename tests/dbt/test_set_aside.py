"""A dirty facility is set aside, named and counted, and the book goes on; a wrong load that was taken back
restates the months it had closed.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from creditops import chain
from creditops.books import Partition, zone
from creditops.build import build
from creditops.errors import DataRefusedError
from creditops.ingest.write.ledger import LoadResult
from creditops.ingest.write.withdrawal import withdraw
from creditops.warehouse import connect
from creditops.warehouse.layers import BUILT_LAYERS
from tests.dbt.raw_rows import customer, facility, known_on, put, put_product
from tests.dbt.warehouse_rows import rows
from tests.ingest.files import deliver as loaded

JUNE, JULY = date(2024, 6, 30), date(2024, 7, 1)
OPENED = date(2024, 1, 15)
BOOK = "aside"
TABLES = ("intermediate.int_facility", "intermediate.int_due_item_settlement", "marts.fct_facility_month")


def item(number: int, facility_id: str, due: date) -> dict[str, Any]:
    return {
        "due_item_id": f"D{number}",
        "facility_id": facility_id,
        "kind": "instalment",
        "due_date": due,
        "amount_due": Decimal(1000),
        "currency": "CNY",
    }


def deliver(source: str, given: list[dict[str, Any]], batch: int, day: date, book: str = BOOK) -> None:
    with connect("owner") as connection:
        put(connection, source, given, book=book, batch=batch, known=known_on(day, book))


def facilities_in(table: str, book: str = BOOK) -> set[str]:
    return {
        row["facility_id"] for row in rows(f"select distinct facility_id from {table} where book = %s", book)
    }


@pytest.fixture(scope="module")
def built(module_warehouse: str) -> None:
    """F1 owed before it was opened and paid late; F4 has no product, F5 no customer; F2 and F3 are clean."""
    with connect("owner") as connection:
        put_product(connection, "P", "instalment_loan", BOOK)
        put(connection, "customers", [customer("C1"), customer("C2")], book=BOOK)
        loans = [facility(f"F{n}", "C1" if n < 3 else "C2", "P", OPENED) for n in (1, 2, 3)]
        loans += [facility("F4", "C1", "P9", OPENED), facility("F5", "C9", "P", OPENED)]
        put(connection, "facilities", loans, book=BOOK)
        dues = [item(1, "F1", date(2023, 1, 15))]
        dues += [item(n, f"F{n % 5 + 1}", date(2024, 2, 15)) for n in range(2, 12)]
        put(connection, "due_items", dues, book=BOOK)
        paid = {
            "payment_id": "P1",
            "facility_id": "F1",
            "value_date": date(2023, 9, 15),
            "amount": Decimal(1000),
            "currency": "CNY",
        }
        put(connection, "payments", [paid], book=BOOK)
    for layer in BUILT_LAYERS[:2]:
        outcome = chain.build_layer(Partition(BOOK, JUNE), layer)
        if layer == "intermediate":
            assert outcome["facilities_set_aside"] == 3


@pytest.mark.usefixtures("built")
def test_the_rest_of_the_book_is_built_and_the_dirty_facilities_are_nowhere() -> None:
    for table in TABLES:
        assert facilities_in(table) == {"F2", "F3"}, table


@pytest.mark.usefixtures("built")
def test_what_was_set_aside_is_named_with_its_row_and_published_as_a_number() -> None:
    checks = rows(
        "select check_name, severity, passed, rows_checked, rows_failed, examples from ops.gate_result"
        " where book = %s and gate = 'build' order by check_name",
        BOOK,
    )
    assert [(each["check_name"], each["rows_failed"]) for each in checks] == [
        ("quarantined_facility: due_before_opening", 1),
        ("quarantined_facility: unknown_customer", 1),
        ("quarantined_facility: unknown_product", 1),
    ]
    assert {(each["severity"], each["passed"], each["rows_checked"]) for each in checks} == {
        ("warning", False, 5)
    }
    assert checks[0]["examples"] == [
        "F1, due_items D1: due_before_opening (due 2023-01-15, opened 2024-01-15)"
    ]


def test_a_mended_facility_comes_back_and_a_newly_dirty_one_goes(built: None) -> None:
    """A daily build says the same as a build of everything."""
    deliver("due_items", [item(1, "F1", date(2024, 1, 15)), item(20, "F3", date(2023, 12, 1))], 2, JULY)
    deliver("customers", [customer("C9")], 3, JULY)
    dollars = {"payment_id": "P9", "facility_id": "F2", "value_date": date(2024, 3, 1), "amount": Decimal(9)}
    deliver("payments", [{**dollars, "currency": "USD"}], 4, JULY)  # as loaded before its book had a currency
    daily = build(BOOK, JULY, layers=("intermediate", "marts"))
    assert daily.set_aside is not None
    assert [(each.facility_id, each.reason) for each in daily.set_aside.found] == [
        ("F2", "other_currency"),
        ("F3", "due_before_opening"),
        ("F4", "unknown_product"),
    ]
    after = {table: facilities_in(table) for table in TABLES}
    assert set(map(frozenset, after.values())) == {frozenset({"F1", "F5"})}
    assert rows("select distinct scope from ops.run_log where book = %s and as_of_date = %s", BOOK, JULY) == [
        {"scope": "changed"}
    ]
    build(BOOK, JULY, layers=("intermediate", "marts"), full_refresh=True)
    assert {table: facilities_in(table) for table in TABLES} == after


@pytest.mark.usefixtures("module_warehouse")
def test_a_book_whose_every_facility_is_dirty_is_refused_as_a_whole() -> None:
    with connect("owner") as connection:
        put(connection, "customers", [customer("C1")], book="broken")
        loans = [facility(f"F{n}", "C1", "nothing", OPENED) for n in range(20)]
        put(connection, "facilities", loans, book="broken")
    with pytest.raises(DataRefusedError, match="20 of 20 facilities are set aside") as refused:
        build("broken", JUNE, layers=("intermediate",))
    assert "F0: unknown_product (product nothing)" in refused.value.message


@pytest.mark.usefixtures("module_warehouse")
def test_a_withdrawn_load_restates_the_months_it_spoke_of_and_they_are_listed(tmp_path: Path) -> None:
    book, day = "taken", date(2026, 4, 30)

    def bring(source: str, *given: dict[str, Any]) -> LoadResult:
        return loaded(tmp_path, source, given, day=day, book=book)

    product = {"product_id": "P", "name": "Loan", "product_type": "instalment_loan", "lgd": 0.5, "ccf": 0}
    bring("products", {**product, "effective_date": "2020-01-01"})
    bring("customers", {"customer_id": "C", "customer_type": "retail", "effective_date": "2020-01-01"})
    loan = {"facility_id": "F", "customer_id": "C", "product_id": "P", "opened_on": "2026-01-15"}
    bring("facilities", {**loan, "currency": "CNY", "status": "active", "effective_date": "2026-01-15"})
    bring("due_items", item(1, "F", date(2026, 3, 15)))
    paid = {"payment_id": "P1", "facility_id": "F", "value_date": "2026-03-15", "amount": 1000}
    wrong = bring("payments", {**paid, "currency": "CNY"})
    with connect("owner") as connection:
        connection.execute(
            "insert into ops.publication_history (publication_id, book, as_of_date, known_at, published_at,"
            " status, code_version, models) values ('taken', %s, %s, now(), now(), 'published', '1', '[]')",
            (book, day),
        )
    withdraw(wrong.batch_id, reason="of another bank", actor="ops")

    today = datetime.now(zone(book)).date()
    build(book, today, layers=("intermediate", "marts"))
    restated = rows(
        "select month_end, dpd_before, dpd_after from marts.fct_restatement where book = %s order by 1", book
    )
    assert restated[0] == {"month_end": date(2026, 3, 31), "dpd_before": 0, "dpd_after": 16}
    assert [each["dpd_after"] for each in restated[1:3]] == [46, 77]
