"""A book without a scorecard ends with something useful: everything but scores, and how to get those."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from creditops.cli import app
from creditops.warehouse.connection import connect
from tests.ingest.files import deliver

BOOK, DAY = "nocard", date(2024, 7, 1)
LOANS = 30


def _deliver(folder: Path) -> None:
    """Thirty loans with five instalments; every fifth customer has stopped paying."""

    def bring(source: str, rows: list[dict[str, Any]]) -> None:
        deliver(folder, source, rows, day=DAY, book=BOOK)

    since = {"effective_date": "2024-01-01"}
    rates = {"lgd": 0.45, "ccf": 0, "annual_rate": 0.1, "funding_rate": 0.03}
    bring(
        "products", [{"product_id": "P", "name": "Loan", "product_type": "instalment_loan", **rates, **since}]
    )
    customers = [
        {"customer_id": f"C{n}", "customer_type": "retail", "monthly_income": 9000, **since}
        for n in range(LOANS)
    ]
    bring("customers", customers)
    loan = {
        "product_id": "P",
        "opened_on": "2024-01-15",
        "currency": "CNY",
        "principal": 12000,
        "status": "active",
    }
    loans = [
        {"facility_id": f"F{n}", "customer_id": f"C{n}", **loan, "effective_date": "2024-01-15"}
        for n in range(LOANS)
    ]
    bring("facilities", loans)
    dues, payments = [], []
    for n in range(LOANS):
        for month in range(2, 7):
            due = {"due_item_id": f"D{n}-{month}", "facility_id": f"F{n}", "currency": "CNY"}
            dues.append({**due, "kind": "instalment", "due_date": f"2024-0{month}-15", "amount_due": 1000})
            if n % 5 or month < 4:
                paid = {"payment_id": f"P{n}-{month}", "facility_id": f"F{n}", "currency": "CNY"}
                payments.append({**paid, "value_date": f"2024-0{month}-15", "amount": 1000})
    bring("due_items", dues)
    bring("payments", payments)


@pytest.fixture(scope="module")
def run(
    module_warehouse: str, mlflow_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What ``run all`` says of it, as JSON."""
    _deliver(tmp_path_factory.mktemp("nocard"))
    done = CliRunner().invoke(app, ["run", "all", "--book", BOOK, "--as-of", str(DAY), "--local", "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    return dict(json.loads(done.stdout))


def published(statement: str) -> list[tuple[Any, ...]]:
    with connect("bi_reader") as connection:
        return connection.execute(statement, (BOOK,)).fetchall()  # type: ignore[arg-type]


def test_every_step_but_training_is_done(run: dict[str, Any]) -> None:
    states = {step["step"]: step["state"] for step in run["steps"]}
    assert {states.pop("train"), states.pop("drift")} == {"skipped"}
    assert set(states.values()) == {"success"}
    assert {"score", "warn", "decide", "publish", "report", "monitor"} <= set(states)


@pytest.mark.usefixtures("run")
def test_portfolio_delinquency_worklist_and_limits_are_published_and_no_scores() -> None:
    assert published("select models from publish.publication where book = %s") == [([],)]
    assert published("select count(*) from publish.customer_scores where book = %s") == [(0,)]
    (month,) = published(
        "select facilities, overdue_balance > 0 from publish.portfolio_monthly where book = %s"
        " and month = '2024-06-30'"
    )
    assert month == (LOANS, True)
    assert published("select count(*) from publish.collections_worklist where book = %s") == [(LOANS // 5,)]
    assert published("select count(*), count(cap_policy) from publish.credit_limits where book = %s") == [
        (LOANS, LOANS)
    ]
    assert published("select count(*) > 0 from publish.roll_rates where book = %s") == [(True,)]
    assert published("select count(*) > 0 from publish.customer_360 where book = %s and dpd > 0") == [(True,)]


def test_it_says_which_shipped_scorecard_fits_and_how_to_get_scores(run: dict[str, Any]) -> None:
    (said,) = [each for each in run["attention"] if "has no scorecard" in each]
    assert "retail_behaviour (30 customers, 0 good and 0 bad outcomes to train on)" in said
    assert f"`books: [{BOOK}]`" in said


def test_a_run_says_so_before_it_starts(run: dict[str, Any]) -> None:
    again = CliRunner().invoke(app, ["run", "publish", "--book", BOOK, "--as-of", str(DAY), "--local"])
    assert again.exit_code == 0, again.output
    first = again.stdout.index(f"no scorecard names the book {BOOK}")
    assert first < again.stdout.index("publish.score")
