"""Builds of what changed end with the very tables that one build of everything gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from creditops.build import build
from creditops.warehouse import connect
from tests.dbt.random_accounts import PRODUCT_TYPES, money, random_account, raw_rows
from tests.dbt.raw_rows import customer, known_on, put, put_product

BOOK = "demo"
ACCOUNTS = 150
FIRST, LAST = date(2024, 11, 12), date(2025, 1, 11)
"""60 days; the accounts' lives lie around them."""
BUILDS = (0, 1, 2, 9, 17, 18, 19, 34, 35, 60)
"""Days after FIRST on which the book is built: single days, gaps, and across the ends of two months."""
LAYERS = ("intermediate", "marts")
TABLES = (
    "staging.base_due_items",
    "staging.base_payments",
    "intermediate.int_facility",
    "intermediate.int_credit_entry",
    "intermediate.int_due_item_settlement",
    "intermediate.int_default_episode",
    "intermediate.int_facility_delinquency",
    "intermediate.int_facility_calendar",
    "intermediate.int_restated_observation",
    "intermediate.int_facility_month_known_then",
    "marts.dim_facility",
    "marts.fct_facility_month",
    "marts.fct_facility_mark",
    "marts.fct_restatement",
    "marts.fct_portfolio_month",
    "marts.fct_roll_rate",
    "marts.fct_vintage",
)

pytestmark = pytest.mark.usefixtures("module_warehouse")


def deliveries(random: Random) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows of random accounts that arrive up to 40 days late, some corrected, moved or disputed later."""
    accounts = [random_account(random, number) for number in range(ACCOUNTS)]
    sources = raw_rows(accounts)
    for source, day_of in (
        ("facilities", "opened_on"),
        ("due_items", "issued_on"),
        ("payments", "value_date"),
    ):
        first, corrected = [], []
        for row in sources[source]:
            known = row[day_of] + timedelta(days=random.choice((-2, 0, 0, 0, 1, 3, 40)))
            first.append({**row, "loaded_at": known_on(known)})
            if source != "facilities" and random.random() < 0.1:
                amount = "amount_due" if source == "due_items" else "amount"
                changed = {**row, amount: row[amount] + money(random.choice((-1, 100)))}
                if random.random() < 0.2:
                    changed["facility_id"] = random.choice(accounts).facility_id
                later = max(known, FIRST) + timedelta(days=random.randrange(60))
                corrected.append({**changed, "loaded_at": known_on(later)})
        yield source, first
        yield source, corrected
    states = []
    for account in accounts[: ACCOUNTS // 5]:
        day = FIRST + timedelta(days=random.randrange(60))
        change = random.choice(
            ({"status": "restructured"}, {"status": "written_off"}, {"manual_class": "substandard"},
             {"closed_on": day + timedelta(days=3), "status": "closed"})
        )  # fmt: skip
        (row,) = (each for each in sources["facilities"] if each["facility_id"] == account.facility_id)
        states.append({**row, **change, "effective_date": day, "loaded_at": known_on(day)})
    yield "facilities", states
    yield (
        "disputes",
        [
            {
                "dispute_id": f"X{item['due_item_id']}",
                "due_item_id": item["due_item_id"],
                "opened_on": item["due_date"],
                "closed_on": item["due_date"] + timedelta(days=random.randrange(90)),
                "amount": item["amount_due"],
                "loaded_at": known_on(item["due_date"] + timedelta(days=2)),
            }
            for item in sources["due_items"]
            if item["amount_due"] > 0 and random.random() < 0.05
        ],
    )


def late_batch() -> dict[str, Any]:
    """A payment that arrives between two builds but counts as known before the first of them."""
    return {
        "payment_id": "late batch",
        "facility_id": "F00003",
        "value_date": FIRST,
        "amount": money(5000),
        "currency": "CNY",
        "loaded_at": known_on(FIRST),
    }


def test_sixty_days_of_changes_equal_one_build_of_everything() -> None:
    with connect("owner") as connection:
        for product_type in PRODUCT_TYPES:
            put_product(connection, product_type, product_type)
        pairs = [
            customer(f"CF{number:05d}", ("retail", "corporate")[number % 2]) for number in range(ACCOUNTS)
        ]
        put(connection, "customers", pairs)
        for batch, (source, delivered) in enumerate(deliveries(Random(5)), start=1):
            put(connection, source, delivered, batch=batch)
    for days in BUILDS:
        build(BOOK, FIRST + timedelta(days=days), layers=LAYERS, checks=False)
        if days == 9:
            with connect("owner") as connection:
                put(connection, "payments", [late_batch()], batch=99)
    chain = {table: contents(table) for table in TABLES}

    build(BOOK, LAST, layers=LAYERS, full_refresh=True, checks=False)

    assert len(chain["marts.fct_facility_month"]) > ACCOUNTS
    differing = {table: (now := contents(table)) - chain[table] | chain[table] - now for table in TABLES}
    assert {table: sorted(rows)[:6] for table, rows in differing.items() if rows} == {}


def contents(table: str) -> Counter[str]:
    """How often each row of the book stands in a table, as text."""
    with connect("owner") as connection:
        found = connection.execute(f"select t::text from {table} as t where book = %s", (BOOK,))  # type: ignore[arg-type]
        return Counter(row[0] for row in found)
