"""Figures of a small book against what docs/domain.md makes of it by hand.

One book holds what each figure needs: cards whose limits changed, loans beside cards, young and closed
ones, a fee before the first instalment, groups below groups, quarterly statements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

import psycopg
import pytest

from creditops.build import PROJECT, build, drop_build
from creditops.decisions import decide, recommend
from creditops.publish.tables import load_tables
from creditops.settings import PROJECT_ROOT
from creditops.warehouse import connect
from creditops.warehouse.raw_tables import SPELLED_OUT
from tests.dbt.raw_rows import customer, facility, put
from tests.dbt.served import served
from tests.dbt.warehouse_rows import month_ends, rows

BOOK = "demo"
AS_OF = date(2026, 6, 30)
JANUARY_2025 = date(2025, 1, 31)


def instalments(
    facility_id: str, first: date, count: int, amount: int, **columns: Any
) -> list[dict[str, Any]]:
    """Dues of the same amount on ``count`` month ends from that of ``first`` on."""
    days = list(month_ends(first, date(2030, 12, 31)))[:count]
    return [
        {"due_item_id": f"{facility_id}-{number}", "facility_id": facility_id, "kind": "instalment",
         "issued_on": first.replace(day=1), "due_date": day, "amount_due": Decimal(amount),
         "principal": Decimal(amount), "interest": Decimal(0), "currency": "CNY", **columns}
        for number, day in enumerate(days)
    ]  # fmt: skip


def paid(items: list[dict[str, Any]], until: date, late: int = 0) -> list[dict[str, Any]]:
    """A payment for each of the items that fell due by ``until``, so many days after it did."""
    return [
        {"payment_id": f"P{item['due_item_id']}", "facility_id": item["facility_id"], "currency": "CNY",
         "value_date": item["due_date"] + timedelta(days=late), "amount": item["amount_due"]}
        for item in items
        if item["due_date"] <= until
    ]  # fmt: skip


def cards(connection: psycopg.Connection) -> None:
    """Three cards of January 2025; one is never paid, one is opened wide later, one is never used."""
    limits = [("B1", "K2", 10_000), ("B2", "K3", 10_000), ("H2", "K8", 10_000)]
    facilities = [
        facility(name, holder, "RC", date(2025, 1, 15), credit_limit=limit) for name, holder, limit in limits
    ]
    raised = facility(
        "B1", "K2", "RC", date(2025, 1, 15), credit_limit=50_000, effective_date=date(2026, 3, 1)
    )
    put(connection, "facilities", [*facilities, raised])
    statements = {
        name: instalments(name, date(2025, 2, 1), 17, 100, kind="statement") for name in ("B1", "B2")
    }
    put(connection, "due_items", [item for items in statements.values() for item in items])
    put(connection, "payments", paid(statements["B1"], AS_OF))
    put(
        connection,
        "facility_snapshots",
        [
            {"facility_id": name, "month_end": day, "balance": 2000, "credit_limit": limit, "amount_paid": 0}
            for name, _, limit in limits
            for day in month_ends(JANUARY_2025, AS_OF)
        ],
    )


def loans(connection: psycopg.Connection) -> None:
    """K8 holds a loan of 1,000 a month beside the card, and a closed one; K9 a loan of two months."""
    held = facility("H1", "K8", "IL", date(2025, 1, 1), principal=21_000)
    over = facility("H3", "K8", "IL", date(2025, 9, 1), principal=4_000)
    young = facility("N1", "K9", "IL", date(2026, 5, 20), principal=12_000)
    beside = facility("N2", "K9", "RC", date(2025, 2, 15), credit_limit=10_000)
    closed = {**over, "status": "closed", "closed_on": date(2026, 2, 28), "effective_date": date(2026, 2, 28)}
    put(connection, "facilities", [held, over, closed, young, beside])
    dues = {
        "H1": instalments("H1", JANUARY_2025, 21, 1000),
        "H3": instalments("H3", date(2025, 11, 1), 4, 1000),
        "N1": instalments("N1", date(2026, 6, 1), 12, 1000),
    }
    put(connection, "due_items", [item for items in dues.values() for item in items])
    put(connection, "payments", [row for items in dues.values() for row in paid(items, AS_OF)])


FIRST_PAYMENTS = {
    "fee_then_late": (date(2026, 2, 28), 40, True),
    "fee_then_in_time": (date(2026, 2, 28), 10, False),
    "paid_but_young": (date(2026, 5, 31), 0, None),
    "unpaid_but_young": (date(2026, 5, 31), None, None),
    "thirty_days_late": (date(2026, 2, 28), 30, False),
    "never": (date(2026, 2, 28), None, True),
}
"""Due date of the first instalment, days after which it was paid, and whether that is a default."""


def first_payments(connection: psycopg.Connection) -> None:
    """Loans with a fee paid at disbursal, and what became of their first instalment."""
    for name, (due_on, late, _) in FIRST_PAYMENTS.items():
        opened_on = due_on.replace(day=1)
        put(connection, "customers", [customer(f"C-{name}")])
        put(connection, "facilities", [facility(name, f"C-{name}", "FL", opened_on, principal=1000)])
        fee = {"due_item_id": f"{name}-fee", "facility_id": name, "kind": "fee", "due_date": opened_on,
               "issued_on": opened_on, "amount_due": Decimal(10), "fee": Decimal(10), "principal": Decimal(0),
               "currency": "CNY"}  # fmt: skip
        items = instalments(name, due_on, 1, 1000)
        put(connection, "due_items", [fee, *items])
        put(connection, "payments", paid([fee], AS_OF))
        if late is not None:
            put(connection, "payments", paid(items, AS_OF, late))


def groups(connection: psycopg.Connection) -> None:
    """G2 and G3 under G1; G4 alone; G5 and G6 name each other; firms in each, one outside."""
    tree = {"G1": None, "G2": "G1", "G3": "G2", "G4": None, "G5": "G6", "G6": "G5"}
    put(
        connection,
        "groups",
        [
            {"group_id": name, "name": name, "parent_group_id": parent, "effective_date": date(2024, 1, 1)}
            for name, parent in tree.items()
        ],
    )
    members = {"F1": "G1", "F2": "G2", "F3": "G3", "F4": "G4", "F5": "G5", "F6": None}
    for name, group in members.items():
        put(connection, "customers", [customer(name, "corporate", group_id=group, industry="trade")])
        put(connection, "facilities", [facility(f"{name}-L", name, "TL", date(2025, 6, 1), principal=1000)])
        put(connection, "due_items", instalments(f"{name}-L", date(2027, 6, 1), 1, 1000))


def statements(connection: psycopg.Connection) -> None:
    """F1 tells 2024, the first quarter of 2025, 2025 and the first quarter of 2026; F2 a quarter alone."""

    def told(
        name: str, end: date, months: int, revenue: int, ebit: int, assets: int = 1000
    ) -> dict[str, Any]:
        return {
            "customer_id": name, "period_end": end, "months": months,
            "published_on": end + timedelta(days=40),
            "currency": "CNY", "revenue": revenue, "ebit": ebit, "total_assets": assets, "receivables": 300,
            "loaded_at": f"{end + timedelta(days=40)} 12:00+08",
        }  # fmt: skip

    put(
        connection,
        "statements",
        [
            told("F1", date(2025, 3, 31), 3, 50, 2),
            told("F1", date(2025, 12, 31), 12, 1000, 120),
            told("F1", date(2026, 3, 31), 3, 150, 12),
            told("F2", date(2026, 3, 31), 3, 150, 12),
        ],
    )
    late = told("F1", date(2025, 12, 31), 12, 900, 100) | {"loaded_at": "2026-06-01 12:00+08"}
    put(connection, "statements", [late], batch=2)


@pytest.fixture(scope="module", autouse=True)
def book(module_warehouse: str) -> None:
    with connect("owner") as connection:
        for product_id, product_type in (
            ("RC", "revolving_card"), ("IL", "instalment_loan"),
            ("FL", "instalment_loan"), ("TL", "term_loan"),
        ):  # fmt: skip
            product = {"product_id": product_id, "name": product_id, "product_type": product_type,
                       "lgd": 0.5, "ccf": 0.5, "annual_rate": 0.1, "funding_rate": 0.03,
                       "effective_date": date(2000, 1, 1)}  # fmt: skip
            put(connection, "products", [product])
        people = {"K2": 1000, "K3": 1000, "K8": 10_000, "K9": 10_000}
        put(connection, "customers", [customer(name, monthly_income=pay) for name, pay in people.items()])
        cards(connection)
        loans(connection)
        first_payments(connection)
        groups(connection)
        statements(connection)
    build(BOOK, AS_OF, checks=False)
    recommend(BOOK, AS_OF)
    with connect("modeller") as connection:
        connection.execute(
            "insert into scoring.customer_scores (book, as_of_date, scorecard, customer_id, model_version,"
            " score, pd, grade, points_total, observed_on)"
            " select book, %s, 's', customer_id, '1', 600, 0.1, '6', 600, %s from marts.dim_customer",
            (AS_OF, AS_OF),
        )


def test_a_vintage_keeps_the_limit_that_was_granted_at_origination() -> None:
    found = rows(
        "select mob, facilities, original_amount, ever_90_rate, ever_90_amount_rate from marts.fct_vintage"
        " where product_id = 'RC' and origination_month = %s order by mob",
        JANUARY_2025,
    )

    assert [row["mob"] for row in found] == list(range(18))
    assert {row["original_amount"] for row in found} == {Decimal(30_000)}
    assert found[-1]["ever_90_amount_rate"] == pytest.approx(1 / 3)
    assert found[-1]["ever_90_rate"] == pytest.approx(1 / 3)


def test_a_cohorts_past_is_the_same_before_and_after_its_limits_changed() -> None:
    build(BOOK, date(2026, 2, 28), layers=("intermediate", "marts"), schema_prefix="before_", checks=False)
    columns = (
        "origination_month, product_id, mob, facilities, original_amount, ever_30_rate, ever_90_amount_rate"
    )
    before = rows(f"select {columns} from before_marts.fct_vintage order by 1, 2, 3")
    now = rows(
        f"select {columns} from marts.fct_vintage where (origination_month + make_interval(months => mob))"
        " <= '2026-02-28'::date order by 1, 2, 3"
    )
    drop_build("before_")

    assert len(before) > 30
    assert now == before


def limits() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (row["customer_id"], row["product_id"]): row["inputs"]
        for row in rows("select customer_id, product_id, inputs from actions.credit_limits")
    }


def test_other_debt_service_is_the_mean_month_of_the_loans_still_held() -> None:
    """Six months of 1,000 are 1,000; what is closed by now is no debt service."""
    assert Decimal(str(limits()["K8", "RC"]["other_debt_service"])) == Decimal("1000.00")


def test_a_young_loan_counts_with_the_months_it_existed() -> None:
    """Opened in May with 1,000 due in June: two months, 500 in the mean."""
    assert Decimal(str(limits()["K9", "RC"]["other_debt_service"])) == Decimal("500.00")


def test_the_first_payment_is_no_fee_and_is_judged_once_30_days_have_passed() -> None:
    found = {
        row["facility_id"]: (row["first_due_date"], row["is_first_payment_default"])
        for row in rows(
            "select facility_id, first_due_date, is_first_payment_default from marts.dim_facility"
            " where product_id = 'FL'"
        )
    }

    assert found == {name: (due_on, failed) for name, (due_on, _, failed) in FIRST_PAYMENTS.items()}


def test_groups_roll_up_to_the_top_of_their_tree() -> None:
    found = {
        row["customer_id"]: row["top_group_id"]
        for row in rows(
            "select customer_id, top_group_id from marts.dim_customer where customer_type = 'corporate'"
        )
    }

    assert found == {"F1": "G1", "F2": "G1", "F3": "G1", "F4": "G4", "F5": "G5", "F6": None}
    together = {name: inputs["group_id"] for (name, _), inputs in limits().items() if name in found}
    assert together == found


def test_what_has_no_group_is_a_line_of_its_own_outside_shares_and_hhi() -> None:
    lines = {
        row["member"]: row
        for row in rows(
            "select member, exposure, share, rank, hhi from marts.fct_concentration where dimension = 'group'"
        )
    }

    assert set(lines) == {"G1", "G4", "G5", "none"}
    assert (lines["none"]["share"], lines["none"]["rank"]) == (None, None)
    assert {name: lines[name]["share"] for name in ("G1", "G4", "G5")} == pytest.approx(
        {"G1": 0.6, "G4": 0.2, "G5": 0.2}
    )
    assert [row["hhi"] for row in lines.values()] == pytest.approx([0.44] * 4)
    in_all = sum(row["exposure"] for row in lines.values())
    assert (
        in_all
        == rows("select sum(exposure) as sum from marts.fct_concentration where dimension = 'product'")[0][
            "sum"
        ]
    )


def test_flows_are_those_of_the_last_twelve_months_or_said_to_be_annualised() -> None:
    """Q1 2026 + 2025 as restated - Q1 2025; a quarter alone is four times itself, and says so."""
    found = {
        (row["customer_id"], row["period_end"]): row
        for row in rows(
            "select customer_id, period_end, revenue_12m, ebit_12m, is_annualised, receivable_days"
            " from marts.fct_statement"
        )
    }

    now = found["F1", date(2026, 3, 31)]
    assert (now["revenue_12m"], now["ebit_12m"], now["is_annualised"]) == (1000, 110, False)
    assert now["receivable_days"] == pytest.approx(365 * 0.3)
    assert (
        found["F1", date(2025, 12, 31)]["revenue_12m"],
        found["F1", date(2025, 12, 31)]["is_annualised"],
    ) == (
        900,
        False,
    )
    alone = found["F2", date(2026, 3, 31)]
    assert (alone["revenue_12m"], alone["ebit_12m"], alone["is_annualised"]) == (600, 48, True)


def test_twelve_months_are_made_of_what_was_known_on_the_day() -> None:
    """In May the year 2025 was not yet restated."""
    found = {
        row["observation_date"]: row["receivable_days"]
        for row in rows(
            "select observation_date, receivable_days from features.feat_corporate_financial"
            " where customer_id = 'F1' and observation_date >= %s",
            date(2026, 5, 1),
        )
    }

    assert found[date(2026, 5, 31)] == pytest.approx(365 * 300 / 1100)
    assert found[AS_OF] == pytest.approx(365 * 300 / 1000)


_SPAN = re.compile(r"-\s*interval\s+'\d+\s+(month|year)|months_after\(", re.IGNORECASE)
_MONTH_END = re.compile(r"month_end\(months_after\(")
_CALENDARS = {
    "dbt_project/macros/calendar.sql",
    "dbt_project/macros/known_days.sql",
    "creditops/warehouse/ops.sql",
}


def sql_files() -> Iterator[tuple[str, str]]:
    """Every file of the project that holds SQL, by its path."""
    for folder, patterns in (
        (PROJECT, ("*.sql",)), (PROJECT_ROOT / "creditops", ("*.sql", "*.yml", "*.py")),
        (PROJECT_ROOT / "models_ml", ("*.yml", "*.py")),
    ):  # fmt: skip
        for pattern in patterns:
            for path in sorted(folder.rglob(pattern)):
                yield str(path.relative_to(PROJECT_ROOT)), path.read_text(encoding="utf-8")


def test_no_window_is_a_span_of_months_taken_off_a_day() -> None:
    """Windows go by month ends: 30 June less six months is 30 December, and seven month ends lie after it."""
    spans = {
        f"{path}: {line.strip()}"
        for path, text in sql_files()
        if path not in _CALENDARS
        for line in text.splitlines()
        if _SPAN.search(_MONTH_END.sub("", line))
    }

    assert spans == set()


def test_the_sql_calendar_counts_month_ends() -> None:
    (found,) = rows(
        "select ops.month_end_before('2026-06-30', 6) as half, ops.month_end_before('2026-02-14', 0) as same,"
        " ops.month_end_before('2024-08-31', -6) as later, ops.month_end_before('2024-03-31', 1) as leap"
    )

    assert found == {
        "half": date(2025, 12, 31), "same": date(2026, 2, 28), "later": date(2025, 2, 28),
        "leap": date(2024, 2, 29),
    }  # fmt: skip


def published(name: str) -> list[dict[str, Any]]:
    return served(name, BOOK, AS_OF)


def test_every_published_table_is_made_of_this_book_in_the_types_of_its_contract() -> None:
    decide(BOOK, AS_OF)
    found = rows(
        "select c.relname as name, a.attname as column, format_type(a.atttypid, a.atttypmod) as type"
        " from pg_attribute as a join pg_class as c on c.oid = a.attrelid"
        " where c.relnamespace = 'serving'::regnamespace and c.relkind = 'p' and a.attnum > 0"
        " and not a.attisdropped order by c.relname, a.attnum"
    )
    made = {
        name: {each["column"]: each["type"] for each in group if each["column"] != "book"}
        for name, group in groupby(found, key=lambda each: each["name"])
    }
    declared = {
        table.name: {each.name: SPELLED_OUT.get(each.type, each.type) for each in table.columns}
        for table in load_tables().values()
    }
    assert made == declared


def test_a_margin_is_charged_what_the_year_adds_to_the_loss_on_what_is_in_default() -> None:
    """B2 is in default for over a year: 3,000 of loss in June as a year before. The rest is charged its year.

    LGD and conversion factor are a half: (2,000 + 8,000 / 2) / 2 of B2, a tenth of that of B1 and H2, and of
    10,000 / 2 / 2 of N2.
    """
    june = next(
        row for row in published("product_performance") if (row["product_id"], row["month"]) == ("RC", AS_OF)
    )
    assert (june["expected_loss"], june["cost_of_risk"]) == (Decimal("3850.00"), Decimal("850.00"))
    assert june["margin_before_risk"] - june["margin"] == pytest.approx(850 / 6000)
    in_all = [row["expected_loss"] for row in published("portfolio_monthly") if row["month"] == AS_OF
              and row["product_id"] == "RC"]  # fmt: skip
    assert sum(in_all) == june["expected_loss"]
