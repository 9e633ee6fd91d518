"""A relational set of a foreign system is onboarded by the YAML of docs/adapters.md, schedule included."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from creditops.cli import app
from creditops.settings import PROJECT_ROOT, get_settings
from tests.ingest.real_books import ledger, select

GUIDE = (PROJECT_ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")


def command(line: str) -> str:
    """Run a command of the guide; what it prints."""
    done = CliRunner().invoke(app, line.split(), catch_exceptions=False)
    assert done.exit_code == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def delivery(module_warehouse: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide's commands up to the ledger, on a delivery that the simulator writes in this form."""
    folder = tmp_path_factory.mktemp("relational") / "delivery"
    command(f"simulate --form relational --out {folder} --customers 300 --months 24 --seed 3 --json")
    (text,) = re.findall(r"```yaml\n(adapter: old_bank.*?)```", GUIDE, re.DOTALL)
    own = get_settings().home / "adapters" / "old_bank"
    own.mkdir(parents=True)
    (own / "adapter.yml").write_text(text, encoding="utf-8")
    steps = re.findall(r"^(creditops .*?)\s+# [1-4]\b", GUIDE, re.MULTILINE)
    assert [step.split()[1] for step in steps] == ["adapters", "adapters", "ingest", "ledger"]
    for step in steps:
        command(step.removeprefix("creditops ").replace(" delivery", f" {folder}"))
    return folder


def canonical(folder: Path, source: str) -> pl.DataFrame:
    """What the simulator says in canonical form, of the loans that are in the foreign tables."""
    loans = pl.read_csv(folder / "loans.csv", separator=";", infer_schema=False)["loan_nr"]
    frame = pl.read_csv(folder / "truth" / "canonical" / f"{source}.csv", infer_schema=False)
    number = pl.col("facility_id").str.strip_chars_start("F").str.strip_chars_start("0")
    return frame.with_columns(number.alias("loan")).filter(pl.col("loan").is_in(loans.implode()))


def test_the_generated_schedule_is_the_simulators_own_to_the_cent(delivery: Path) -> None:
    found = select("select substr(facility_id, 2), kind, due_date::text, amount_due::text from raw.due_items")
    expected = canonical(delivery, "due_items").select("loan", "kind", "due_date", "amount_due").rows()
    assert len(expected) > 3000
    assert sorted(found) == sorted(expected)


def test_payments_and_what_takes_them_back_are_the_simulators_own(delivery: Path) -> None:
    found = select(
        "select substr(facility_id, 2), value_date::text, amount::text, reverses_payment_id is not null"
        " from raw.payments"
    )
    expected = canonical(delivery, "payments").select(
        "loan", "value_date", "amount", pl.col("reverses_payment_id").is_not_null()
    )
    assert any(row[3] for row in found)
    assert sorted(found) == sorted(expected.rows())


def test_every_loan_has_its_client_and_its_states(delivery: Path) -> None:
    assert select(
        "select count(*) from raw.facilities f where not exists (select from raw.customers c"
        " where c.customer_id = f.customer_id)"
    ) == [(0,)]
    last = (
        canonical(delivery, "facilities")
        .sort("effective_date", maintain_order=True)
        .unique("facility_id", keep="last")
        .select("loan", "status")
    )
    found = select(
        "select distinct on (facility_id) substr(facility_id, 2), status from raw.facilities"
        " order by facility_id, effective_date desc"
    )
    assert sorted(found) == sorted(last.rows())


def test_nothing_is_quarantined_and_what_is_left_out_is_counted(delivery: Path) -> None:
    counted = ledger("old_bank")
    assert sum(rows[3] for rows in counted.values()) == 0
    transactions = len(pl.read_csv(delivery / "transactions.csv", separator=";", infer_schema=False))
    tried = json.loads(command(f"adapters try old_bank {delivery} --json"))
    payments = next(each for each in tried if each["source"] == "payments")
    assert payments["rows"] == counted["payments"][0]
    assert payments["left_out"] == {"where": transactions - payments["rows"]}
    assert payments["left_out"]["where"] > 0
    assert select(
        "select sum(rows_left_out) from ops.load_ledger where book = 'old_bank' and source = 'payments'"
    ) == [(payments["left_out"]["where"],)]


def test_a_trial_shows_no_personal_data(delivery: Path) -> None:
    shown = command(f"adapters try old_bank {delivery} --limit 5")
    assert "birth_date=***" in shown
    tried = json.loads(command(f"adapters try old_bank {delivery} --limit 5 --json"))
    assert {each["rows"] for each in tried if each["source"] == "customers"} == {5}
