"""Features use only what was known at the end of their observation date, however late the build."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from random import Random

import pytest
from typer.testing import CliRunner

from creditops.build import build
from creditops.cli import app
from creditops.warehouse import connect
from tests.dbt.random_accounts import PRODUCT_TYPES, money, random_account, raw_rows
from tests.dbt.raw_rows import customer, facility, known_on, put, put_product
from tests.dbt.warehouse_rows import checksum, month_ends, rows

JUNE, JULY, AUGUST = date(2025, 6, 30), date(2025, 7, 31), date(2025, 8, 31)


@pytest.fixture
def one_loan(warehouse: str) -> Iterator[None]:
    """A loan with an instalment of 100 due on Jun 10, unpaid as far as June knew."""
    with connect("owner") as connection:
        put_product(connection, "P", "instalment_loan")
        put(connection, "customers", [customer("C1")])
        put(connection, "facilities", [facility("F1", "C1", "P", date(2025, 1, 5), principal=Decimal(300))])
        put(
            connection,
            "due_items",
            [
                {
                    "due_item_id": f"D{month}",
                    "facility_id": "F1",
                    "kind": "instalment",
                    "issued_on": date(2025, 1, 5),
                    "due_date": date(2025, month, 10),
                    "amount_due": Decimal(100),
                    "principal": Decimal(100),
                    "currency": "CNY",
                }
                for month in (6, 7, 9)
            ],
        )
    return


def pay(payment_id: str, value_date: date, amount: int, known: datetime, batch: int = 2) -> None:
    with connect("owner") as connection:
        put(
            connection,
            "payments",
            [
                {
                    "payment_id": payment_id,
                    "facility_id": "F1",
                    "value_date": value_date,
                    "amount": Decimal(amount),
                    "currency": "CNY",
                }
            ],
            batch=batch,
            known=known,
        )


def behaviour(day: date, prefix: str = "") -> dict[str, object]:
    (row,) = rows(f"select * from {prefix}features.feat_retail_behaviour where observation_date = %s", day)
    return row


def panel(day: date) -> dict[str, object]:
    (row,) = rows("select * from marts.fct_facility_month where month_end = %s", day)
    return row


@pytest.mark.usefixtures("one_loan")
def test_a_payment_learnt_after_the_observation_leaves_its_features_alone() -> None:
    build("demo", JUNE, checks=False)
    before = behaviour(JUNE)
    assert before["dpd_now"] == 20

    pay("late", date(2025, 6, 12), 100, known_on(date(2025, 7, 2)))
    build("demo", JULY, checks=False)

    assert behaviour(JUNE) == before
    assert panel(JUNE)["dpd"] == 0
    assert behaviour(JULY)["dpd_max_3m"] == 21, "July knows that nothing was late in June"


@pytest.mark.usefixtures("one_loan")
def test_a_corrected_payment_is_seen_as_it_was_until_the_correction() -> None:
    pay("P1", date(2025, 6, 10), 100, known_on(date(2025, 6, 10)))
    build("demo", JUNE, checks=False)
    before = behaviour(JUNE)
    assert before["paid_m0"] == 100

    pay("P1", date(2025, 6, 10), 1, known_on(date(2025, 8, 5)), batch=3)
    build("demo", AUGUST, checks=False)

    assert behaviour(JUNE) == before
    assert behaviour(JULY)["dpd_now"] == 21
    assert behaviour(AUGUST)["dpd_now"] == 82
    assert panel(JUNE)["amount_paid"] == 1


@pytest.mark.usefixtures("one_loan")
def test_a_facility_learnt_late_was_not_there_before() -> None:
    with connect("owner") as connection:
        put(
            connection,
            "facilities",
            [facility("F2", "C1", "P", date(2025, 6, 1), principal=Decimal(50))],
            batch=2,
            known=known_on(date(2025, 7, 1)),
        )
    build("demo", JULY, checks=False)

    assert behaviour(JUNE)["active_facilities"] == 1
    assert behaviour(JULY)["active_facilities"] == 2


@pytest.mark.usefixtures("one_loan")
def test_a_past_day_is_as_it_was_then_or_as_it_is_known_now() -> None:
    build("demo", JUNE, checks=False)
    then = contents()
    assert then["marts.fct_facility_month"][0] == 6
    pay("late", date(2025, 6, 12), 100, known_on(date(2025, 7, 2)))
    build("demo", JULY, checks=False)
    now = contents()

    command = ["build", "--as-of", JUNE.isoformat(), "--prefix", "past_"]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert contents("past_") == then, "every table of the day, not features alone"
    assert behaviour(JUNE, "past_")["dpd_now"] == 20

    assert CliRunner().invoke(app, [*command, "--known-at", "2025-07-02"]).exit_code == 0
    assert rows("select dpd, amount_paid from past_marts.fct_facility_month where month_end = %s", JUNE) == [
        {"dpd": 0, "amount_paid": 100}
    ]
    assert contents() == now, "the live schemas are left alone"
    assert CliRunner().invoke(app, [*command, "--drop"]).exit_code == 0
    assert not rows("select 1 from pg_namespace where nspname like 'past%%'")


def contents(prefix: str = "") -> dict[str, tuple[int, str]]:
    """Rows and checksum of every table of marts and features."""
    tables = rows(
        "select oid::regclass::text as name from pg_class where relkind = 'p'"
        " and relnamespace::regnamespace::text = any(%s) order by 1",
        [f"{prefix}marts", f"{prefix}features"],
    )
    return {row["name"].removeprefix(prefix): checksum(row["name"], "demo") for row in tables}


@pytest.mark.usefixtures("warehouse")
def test_every_observation_date_equals_a_build_of_that_day() -> None:
    """Random accounts whose rows arrive up to 80 days late or are corrected: history equals the past."""
    random = Random(11)
    accounts = [random_account(random, number) for number in range(60)]
    delays = (0, 0, 0, 1, 5, 40, 80)
    delivered = raw_rows(accounts)
    for source, day_of in (
        ("facilities", "opened_on"),
        ("due_items", "issued_on"),
        ("payments", "value_date"),
    ):
        corrected = []
        for row in delivered[source]:
            day = date.fromordinal(row[day_of].toordinal() + random.choice(delays))
            row["loaded_at"] = known_on(day)
            if source == "payments" and random.random() < 0.1:
                later = date.fromordinal(day.toordinal() + random.choice((1, 30, 60)))
                corrected.append({**row, "amount": row["amount"] + money(100), "loaded_at": known_on(later)})
        delivered[f"{source} corrected"] = corrected
    last = date(2025, 3, 31)
    with connect("owner") as connection:
        for product_type in PRODUCT_TYPES:
            put_product(connection, product_type, product_type)
        put(connection, "customers", [customer(f"C{account.facility_id}") for account in accounts])
        for name, source_rows in delivered.items():
            source, _, is_corrected = name.partition(" ")
            put(connection, source, source_rows, batch=2 if is_corrected else 1)
    build("demo", last, checks=False)
    assert rows("select 1 from intermediate.int_restated_observation limit 1")

    for month_end in (day for day in month_ends(date(2024, 3, 1), last) if day.month in (3, 8)):
        build("demo", month_end, schema_prefix="asof_", checks=False)
        history, then = (
            rows(
                f"select * from {schema}.feat_retail_behaviour where observation_date = %s"
                " order by customer_id",
                month_end,
            )
            for schema in ("features", "asof_features")
        )
        assert history == then, month_end
