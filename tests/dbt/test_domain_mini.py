"""One small book in which the rules about class, default, moves, closing and write-off meet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from creditops.build import build
from creditops.warehouse import connect
from tests.dbt.raw_rows import customer, facility, put, put_product
from tests.dbt.warehouse_rows import month_ends, rows

AS_OF = date(2026, 6, 30)
OPENED = date(2025, 1, 1)


def month_end(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def dues(
    facility_id: str, first: date, months: int, amount: int, kind: str = "instalment"
) -> Iterator[dict[str, Any]]:
    last = month_end(first.year + (first.month + months - 2) // 12, (first.month + months - 2) % 12 + 1)
    for number, day in enumerate(month_ends(first, last)):
        yield {
            "due_item_id": f"{facility_id}-{number}",
            "facility_id": facility_id,
            "kind": kind,
            "issued_on": OPENED,
            "due_date": day,
            "amount_due": Decimal(amount),
            "principal": Decimal(amount),
            "currency": "CNY",
        }


def paid(facility_id: str, first: date, months: int, amount: int) -> Iterator[dict[str, Any]]:
    for item in dues(facility_id, first, months, amount):
        yield {
            "payment_id": item["due_item_id"].replace("-", "-p"),
            "facility_id": facility_id,
            "value_date": item["due_date"],
            "amount": Decimal(amount),
            "currency": "CNY",
        }


def reports(facility_id: str, paid_a_month: int, limits: dict[date, int]) -> Iterator[dict[str, Any]]:
    for day in month_ends(OPENED, AS_OF):
        limit = next(amount for since, amount in sorted(limits.items(), reverse=True) if since <= day)
        yield {
            "facility_id": facility_id,
            "month_end": day,
            "balance": Decimal(2000),
            "credit_limit": Decimal(limit),
            "amount_paid": Decimal(paid_a_month),
            "status": "revolving",
        }


def deliver() -> None:
    opened = date(2025, 6, 1)
    card_opened = date(2025, 1, 15)
    loan = {"principal": Decimal(1000)}
    facilities = [
        facility("A1", "K1", "TL", opened, **loan),
        facility("A2", "K1", "TL", opened, principal=Decimal(4000)),
        facility("B1", "K2", "RC", card_opened, credit_limit=Decimal(10_000)),
        facility("B1", "K2", "RC", card_opened, credit_limit=Decimal(50_000),
                 effective_date=date(2026, 3, 1)),
        facility("B2", "K3", "RC", card_opened, credit_limit=Decimal(10_000)),
        facility("D1", "K4", "TL", opened, **loan),
        facility("D1", "K4", "TL", opened, **loan, closed_on=date(2026, 1, 31), status="closed",
                 effective_date=date(2026, 1, 31)),
        facility("E1", "K5", "IL", OPENED, principal=Decimal(2000)),
        facility("E1", "K6", "IL", OPENED, principal=Decimal(2000), effective_date=date(2026, 4, 15)),
        facility("G1", "K7", "IL", OPENED, **loan),
        facility("G1", "K7", "IL", OPENED, **loan, closed_on=date(2026, 6, 15), status="written_off",
                 effective_date=date(2026, 6, 15)),
        facility("H1", "K8", "IL", OPENED, principal=Decimal(21_000)),
        facility("H2", "K8", "RC", card_opened, credit_limit=Decimal(10_000)),
    ]  # fmt: skip
    due_items = [
        *dues("A1", date(2025, 12, 31), 5, 200),
        *dues("A2", date(2025, 7, 31), 15, 250),
        *dues("B1", date(2025, 2, 28), 17, 100, "statement"),
        *dues("B2", date(2025, 2, 28), 17, 100, "statement"),
        *dues("D1", date(2025, 12, 31), 1, 1000),
        *dues("E1", date(2025, 1, 31), 20, 100),
        *dues("G1", date(2025, 6, 30), 1, 1000),
        *dues("H1", date(2025, 1, 31), 21, 1000),
    ]
    payments = [
        *paid("A2", date(2025, 7, 31), 12, 250),
        *paid("B1", date(2025, 2, 28), 17, 100),
        *paid("E1", date(2025, 4, 30), 15, 100),
        *paid("H1", date(2025, 1, 31), 18, 1000),
    ]
    with connect("owner") as connection:
        for product, kind in (("TL", "term_loan"), ("RC", "revolving_card"), ("IL", "instalment_loan")):
            put_product(connection, product, kind)
        put(
            connection,
            "customers",
            [customer(f"K{n}", "corporate" if n in (1, 4) else "retail") for n in range(1, 9)],
        )
        put(connection, "facilities", facilities)
        put(connection, "due_items", due_items)
        put(connection, "payments", payments)
        put(
            connection,
            "facility_snapshots",
            [
                *reports("B1", 100, {OPENED: 10_000, date(2026, 3, 1): 50_000}),
                *reports("B2", 100, {OPENED: 10_000}),
                *reports("H2", 0, {OPENED: 10_000}),
            ],
        )


@pytest.fixture(scope="module")
def built(module_warehouse: str) -> None:
    deliver()
    build("demo", AS_OF, layers=("intermediate", "marts"))


def panel(facility_id: str, *columns: str) -> dict[date, tuple[Any, ...]]:
    found = rows("select * from marts.fct_facility_month where facility_id = %s", facility_id)
    return {row["month_end"]: tuple(row[name] for name in columns) for row in found}


def defaults(facility_id: str) -> list[tuple[Any, ...]]:
    found = rows("select * from marts.fct_default where facility_id = %s order by default_on", facility_id)
    return [
        (row["customer_id"], row["default_on"], row["cured_on"], row["level"], row["reason"]) for row in found
    ]


@pytest.mark.usefixtures("built")
class TestSmallBook:
    def test_a_firms_other_claim_is_substandard_by_contagion_and_in_default_with_the_obligor(self) -> None:
        months = panel("A2", "dpd", "class5", "class_reason", "is_default", "default_level")
        assert months[month_end(2026, 3)] == (0, "pass", None, False, None)
        assert months[month_end(2026, 4)] == (0, "substandard", "contagion_here", True, "obligor")
        assert months[AS_OF] == (0, "substandard", "contagion_here", True, "obligor")
        assert panel("A1", "class5", "class_reason")[month_end(2026, 4)] == ("substandard", "days")
        assert defaults("A1") == [("K1", date(2026, 4, 1), None, "facility", "past_due")]
        assert defaults("A2") == [("K1", date(2026, 4, 1), None, "obligor", "past_due")]

    def test_a_facility_closed_with_an_unpaid_item_is_owed_on_and_defaults(self) -> None:
        months = panel("D1", "status", "is_open", "balance", "is_default")
        assert months[month_end(2025, 12)] == ("active", True, 1000, False)
        assert months[month_end(2026, 1)] == ("closed_with_arrears", True, 1000, False)
        assert months[AS_OF] == ("closed_with_arrears", True, 1000, True)
        assert defaults("D1") == [("K4", date(2026, 4, 1), None, "facility", "past_due")]
        term_loans = portfolio("TL", AS_OF)
        assert (term_loans["facilities"], term_loans["balance"]) == (3, 1000 + 1000 + 1000)

    def test_a_moved_facility_leaves_its_past_with_the_old_holder(self) -> None:
        months = panel("E1", "customer_id")
        assert {day for day, (holder,) in months.items() if holder == "K5"} == set(
            month_ends(OPENED, date(2026, 3, 31))
        )
        assert {day for day, (holder,) in months.items() if holder == "K6"} == {
            month_end(2026, 4), month_end(2026, 5), AS_OF
        }  # fmt: skip
        assert defaults("E1")[0] == ("K5", date(2025, 5, 30), None, "facility", "past_due")

    def test_what_is_written_off_is_no_balance_but_a_flow_of_the_month(self) -> None:
        instalment_loans = portfolio("IL", AS_OF)
        assert (instalment_loans["facilities"], instalment_loans["balance"]) == (2, 3500)
        assert instalment_loans["write_offs"] == 1
        months = panel("G1", "status", "balance", "written_off_amount", "class5")
        assert months[AS_OF] == ("written_off", 0, 1000, "loss")
        (today,) = rows("select balance, status from marts.fct_facility_standing where facility_id = 'G1'")
        assert today == {"balance": 0, "status": "written_off"}

    def test_snapshots_that_tell_no_days_past_due_know_nothing_of_them(self) -> None:
        assert set(panel("B2", "reported_dpd").values()) == {(None,)}
        assert panel("B2", "dpd")[AS_OF] == ((AS_OF - date(2025, 2, 28)).days,)


def portfolio(product_id: str, day: date) -> dict[str, Any]:
    (row,) = rows(
        "select sum(facilities) as facilities, sum(balance) as balance, sum(write_offs) as write_offs"
        " from marts.fct_portfolio_month where product_id = %s and month = %s",
        product_id,
        day,
    )
    return row
