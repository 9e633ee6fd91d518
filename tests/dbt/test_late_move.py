"""A move and a correction that are delivered late are restated and listed; what was before stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from creditops.build import build
from creditops.warehouse import connect
from tests.dbt.raw_rows import customer, facility, known_on, put, put_product
from tests.dbt.warehouse_rows import month_ends, rows

OPENED = date(2025, 12, 31)
FIRST, SECOND = date(2026, 4, 30), date(2026, 5, 31)
"""Days of the two builds; what the second alone knows was delivered in between."""
JANUARY, FEBRUARY, MARCH, APRIL = month_ends(date(2026, 1, 1), FIRST)


def dues() -> Iterator[dict[str, Any]]:
    for name in ("F1", "F2", "F3"):
        for day in month_ends(date(2026, 1, 1), date(2026, 12, 31)):
            yield {
                "due_item_id": f"{name}-{day:%m}",
                "facility_id": name,
                "kind": "instalment",
                "issued_on": OPENED,
                "due_date": day,
                "amount_due": Decimal(100),
                "principal": Decimal(100),
                "currency": "CNY",
            }


def payment(payment_id: str, facility_id: str, day: date, amount: int) -> dict[str, Any]:
    return {
        "payment_id": payment_id,
        "facility_id": facility_id,
        "value_date": day,
        "amount": Decimal(amount),
        "currency": "CNY",
    }


@pytest.fixture(scope="module")
def told_late(module_warehouse: str) -> None:
    """Built on both days of delivery: F3 moved from C3 to C1 on Mar 15, as is learnt in May."""
    principal = Decimal(1200)
    with connect("owner") as connection:
        put_product(connection, "P", "term_loan")
        put(connection, "customers", [customer(f"C{n}", "corporate") for n in (1, 2, 3)])
        held = [facility(f"F{n}", f"C{n}", "P", OPENED, principal=principal) for n in (1, 2, 3)]
        put(connection, "facilities", held)
        put(connection, "due_items", dues())
        paid = [
            payment("p1", "F1", date(2026, 2, 5), 100),
            payment("p2", "F2", JANUARY, 100),
            payment("p3", "F2", FEBRUARY, 100),
            payment("p4", "F2", MARCH, 100),
            payment("p5", "F3", JANUARY, 400),
        ]
        put(connection, "payments", paid)
    build("demo", FIRST, layers=("intermediate", "marts"))
    with connect("owner") as connection:
        moved = facility("F3", "C1", "P", OPENED, principal=principal, effective_date=date(2026, 3, 15))
        put(connection, "facilities", [moved], batch=2, known=known_on(SECOND))
        corrected = [payment("p6", "F1", date(2026, 3, 10), 100), payment("p4", "F2", MARCH, 10)]
        put(connection, "payments", corrected, batch=2, known=known_on(SECOND))
    build("demo", SECOND, layers=("intermediate", "marts"))


@pytest.mark.usefixtures("told_late")
def test_months_before_a_move_stay_with_the_old_customer() -> None:
    held = {
        row["month_end"]: row["customer_id"]
        for row in rows("select * from marts.fct_facility_month where facility_id = 'F3'")
    }
    assert held == {
        OPENED: "C3", JANUARY: "C3", FEBRUARY: "C3", MARCH: "C1", APRIL: "C1", SECOND: "C1"
    }  # fmt: skip


@pytest.mark.usefixtures("told_late")
def test_a_move_told_late_is_a_restatement_and_listed() -> None:
    listed = rows(
        "select month_end, customer_id_before, customer_id_after, causes from marts.fct_restatement"
        " where facility_id = 'F3' order by month_end"
    )
    assert [tuple(row.values()) for row in listed] == [
        (MARCH, "C3", "C1", "late_facility"),
        (APRIL, "C3", "C1", "late_facility"),
    ]


@pytest.mark.usefixtures("told_late")
def test_a_payment_told_late_or_corrected_is_listed_with_before_and_after() -> None:
    listed = rows(
        "select facility_id, month_end, dpd_before, dpd_after from marts.fct_restatement"
        " where facility_id <> 'F3' order by facility_id, month_end"
    )
    assert [tuple(row.values()) for row in listed] == [
        ("F1", MARCH, 31, 0),
        ("F1", APRIL, 61, 30),
        ("F2", MARCH, 0, 0),
        ("F2", APRIL, 0, 30),
    ]
