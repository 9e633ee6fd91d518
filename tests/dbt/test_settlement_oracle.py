"""Settlement, days past due, balances, default and cure equal a slow, plain oracle on random accounts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from creditops.build import build
from creditops.warehouse import connect
from tests.dbt import oracle
from tests.dbt.conftest import LEAST_MATERIAL, MATERIAL_SHARE
from tests.dbt.random_accounts import FIRST_DAY, PRODUCT_TYPES, random_account, raw_rows
from tests.dbt.raw_rows import customer, put, put_product
from tests.dbt.warehouse_rows import month_ends, rows

BUCKETS = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7")
ACCOUNTS = 700


def deliver(
    connection: psycopg.Connection,
    accounts: list[oracle.Account],
    customer_types: tuple[str, ...] = ("retail",),
) -> None:
    """Replace everything that was delivered before by these accounts."""
    for source in ("products", "customers", "facilities", "due_items", "payments", "disputes"):
        connection.execute(f"delete from raw.{source}")  # type: ignore[arg-type]
    for product_type in PRODUCT_TYPES:
        put_product(connection, product_type, product_type)
    put(
        connection,
        "customers",
        [
            customer(f"C{account.facility_id}", customer_types[number % len(customer_types)])
            for number, account in enumerate(accounts)
        ],
    )
    for source, source_rows in raw_rows(accounts).items():
        put(connection, source, source_rows)


def cents(value: Any) -> int:
    return int(value * 100)


@pytest.mark.usefixtures("module_warehouse")
class TestRandomAccounts:
    @given(seed=st.integers(0, 10**6), days=st.integers(60, 500))
    @settings(
        max_examples=3,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    def test_warehouse_and_oracle_agree(self, seed: int, days: int) -> None:
        random = Random(seed)
        accounts = [random_account(random, number) for number in range(ACCOUNTS)]
        as_of = FIRST_DAY + timedelta(days=days)
        with connect("owner") as connection:
            deliver(connection, accounts)
        build("demo", as_of, layers=("intermediate", "marts"), full_refresh=True, checks=False)

        opened = [account for account in accounts if account.opened_on <= as_of]
        assert list(settlement_differences(opened, as_of)) == []
        assert list(panel_differences(opened, as_of)) == []
        assert list(delinquency_differences(opened, as_of)) == []
        assert list(episode_differences(opened, as_of)) == []


@pytest.mark.usefixtures("module_warehouse", "only_material_days_count")
@pytest.mark.parametrize("seed", [3])
def test_warehouse_and_oracle_agree_where_only_material_days_count(seed: int) -> None:
    random = Random(seed)
    accounts = [random_account(random, number) for number in range(300)]
    as_of = FIRST_DAY + timedelta(days=470)
    with connect("owner") as connection:
        deliver(connection, accounts, tuple(LEAST_MATERIAL))
    build("demo", as_of, layers=("intermediate", "marts"), checks=False)

    found = {row["facility_id"]: row for row in rows("select * from marts.fct_facility_standing")}
    panel: dict[str, list[dict[str, Any]]] = {}
    for row in rows("select * from marts.fct_facility_month"):
        panel.setdefault(row["facility_id"], []).append(row)
    begun: dict[str, list[tuple[date, date | None]]] = {}
    for row in rows("select * from marts.fct_default order by facility_id, default_on"):
        begun.setdefault(row["facility_id"], []).append((row["default_on"], row["cured_on"]))

    differing, late = [], 0
    for number, account in enumerate(accounts):
        least = list(LEAST_MATERIAL.values())[number % len(LEAST_MATERIAL)]
        days = oracle.material_days(account, as_of, least, MATERIAL_SHARE)
        undisputed = oracle.material_days(account, as_of, least, MATERIAL_SHARE, undisputed=True)
        if found[account.facility_id]["dpd"] != days[as_of]:
            differing.append((account.facility_id, found[account.facility_id]["dpd"], days[as_of]))
        for row in panel.get(account.facility_id, []):
            expected = (days[row["month_end"]], undisputed[row["month_end"]])
            late += expected[0] > 0
            if (row["dpd"], row["dpd_undisputed"]) != expected:
                differing.append((account.facility_id, row["month_end"], row["dpd"], expected))
        episodes = oracle.default_episodes(account, undisputed.__getitem__, account.opened_on, as_of)
        if begun.get(account.facility_id, []) != episodes:
            differing.append((account.facility_id, begun.get(account.facility_id), episodes))
    assert differing == []
    assert late > 300
    assert len(begun) > 30


def settlement_differences(accounts: list[oracle.Account], as_of: date) -> Iterator[tuple[Any, ...]]:
    found = {row["due_item_id"]: row for row in rows("select * from intermediate.int_due_item_settlement")}
    for account in accounts:
        settled_on = oracle.settled_on(account, as_of)
        paid = {state.item.due_item_id: state.paid for state in oracle.item_states(account, as_of)}
        for item in account.due_items:
            row = found[item.due_item_id]
            if item.amount < 0:
                paid[item.due_item_id] = item.amount if item.due_date <= as_of else 0
            if 0 < item.amount <= oracle.TOLERANCE and item.due_date > as_of:
                continue  # within the tolerance before anything is due or paid
            expected = (settled_on[item.due_item_id], paid[item.due_item_id])
            if (row["settled_on"], cents(row["paid_amount"])) != expected:
                yield item, row["settled_on"], row["paid_amount"], expected


def panel_differences(accounts: list[oracle.Account], as_of: date) -> Iterator[tuple[Any, ...]]:
    found = {
        (row["facility_id"], row["month_end"]): row for row in rows("select * from marts.fct_facility_month")
    }
    for account in accounts:
        for month_end in month_ends(account.opened_on, as_of):
            row = found.get((account.facility_id, month_end))
            late, overdue = (
                oracle.days_past_due(account, month_end),
                oracle.overdue_amount(account, month_end),
            )
            is_loan = account.product_type.endswith("loan")
            balance = (oracle.loan_balance if is_loan else oracle.trade_balance)(account, month_end)
            if row is None:
                # Only a loan that is repaid, within the tolerance, leaves the panel.
                if not is_loan or late or balance > oracle.TOLERANCE:
                    yield account.facility_id, month_end, "missing"
                continue
            if row["status"] == "closed":
                balance = 0
            undisputed = oracle.days_past_due(account, month_end, undisputed=True)
            expected = (late, undisputed, BUCKETS[min(-(-late // 30), 7)], overdue, balance)
            got = (
                *(row["dpd"], row["dpd_undisputed"], row["bucket"]),
                *(cents(row["overdue_amount"] or 0), cents(row["balance"])),
            )
            # An invoice of no more than the tolerance is settled before anything is paid, or even issued.
            tiny = oracle.TOLERANCE if any(0 < i.amount <= oracle.TOLERANCE for i in account.due_items) else 0
            if got[:-1] != expected[:-1] or abs(got[-1] - expected[-1]) > tiny:
                yield account.facility_id, month_end, got, expected


def delinquency_differences(accounts: list[oracle.Account], as_of: date) -> Iterator[tuple[Any, ...]]:
    found = {row["facility_id"]: row for row in rows("select * from marts.fct_facility_standing")}
    for account in accounts:
        row = found[account.facility_id]
        expected = (oracle.days_past_due(account, as_of), oracle.overdue_amount(account, as_of))
        if (row["dpd"], cents(row["overdue_amount"])) != expected:
            yield account.facility_id, row["dpd"], row["overdue_amount"], expected


def episode_differences(accounts: list[oracle.Account], as_of: date) -> Iterator[tuple[Any, ...]]:
    found: dict[str, list[tuple[date, date | None]]] = {}
    for row in rows("select * from marts.fct_default order by facility_id, default_on"):
        found.setdefault(row["facility_id"], []).append((row["default_on"], row["cured_on"]))
    for account in accounts:

        def late(day: date, account: oracle.Account = account) -> int:
            return oracle.days_past_due(account, day, undisputed=True)

        expected = oracle.default_episodes(account, late, account.opened_on, as_of)
        if found.get(account.facility_id, []) != expected:
            yield account.facility_id, found.get(account.facility_id), expected
