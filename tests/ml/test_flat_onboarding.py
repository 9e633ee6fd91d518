"""A flat file with special values and an outcome is scored and published in four commands."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from creditops.cli import app
from creditops.errors import DataRefusedError, UsageError
from creditops.settings import PROJECT_ROOT

GUIDE = (PROJECT_ROOT / "docs" / "sources.md").read_text(encoding="utf-8")


def run(line: str) -> Result:
    return CliRunner().invoke(app, line.split(), catch_exceptions=False)


@pytest.fixture(scope="module")
def published(module_warehouse: str, mlflow_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four commands of the guide, on what the simulator writes in this form."""
    folder = tmp_path_factory.mktemp("flat")
    assert (
        run(f"simulate --form flat --out {folder} --customers 2400 --months 24 --seed 3 --json").exit_code
        == 0
    )
    commands = re.findall(r"^creditops (.*?borrowers.*?)\s+# ([1-4])\b", GUIDE, re.MULTILINE)
    assert [number for _, number in commands] == ["1", "2", "3", "4"]
    for line, _ in commands[:3]:
        line = line.replace(" borrowers.csv", f" {folder / 'borrowers.csv'}")
        done = run(line + " --local" if line.startswith("run ") else line)
        assert done.exit_code == 0, done.stdout
    return folder


def query(statement: str) -> list[dict[str, object]]:
    done = CliRunner().invoke(app, ["query", statement, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stdout
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_everybody_observed_has_a_published_score(published: Path) -> None:
    rows = pl.read_csv(published / "borrowers.csv")
    (found,) = query(
        "select count(*) as scored, min(observed_on) as observed_on, min(as_of_date) as as_of"
        " from publish.customer_scores where book = 'borrowers'"
    )
    assert found == {"scored": len(rows), "observed_on": "2025-06-30", "as_of": "2026-06-30"}


def test_the_scores_order_the_outcomes(published: Path) -> None:
    from sklearn.metrics import roc_auc_score

    scores = pl.DataFrame(
        query("select customer_id, pd from publish.customer_scores where book = 'borrowers'")
    )
    rows = pl.read_csv(published / "borrowers.csv").join(
        scores, left_on="borrower_no", right_on="customer_id"
    )
    assert roc_auc_score(rows["default_12m"], rows["pd"]) > 0.75


@pytest.mark.usefixtures("published")
def test_special_values_have_bins_of_their_own_and_protected_ones_are_no_characteristics() -> None:
    from models_ml.lifecycle import registry

    (champion,) = registry.champions("borrowers")
    table = registry.load_table(champion["name"], champion["version"])
    assert table is not None
    assert not {"age", "region_code"} & set(table.features)
    late = next(each for each in table.characteristics if each.name in ("months_since_late", "bureau_score"))
    assert any(bin_.kind == "special" for bin_ in late.bins)


@pytest.mark.usefixtures("published")
def test_a_day_before_what_is_built_is_not_published_by_itself() -> None:
    line = ["run", "publish", "--book", "borrowers", "--as-of", "2025-05-31", "--local"]
    refused = CliRunner().invoke(app, line).exception
    assert isinstance(refused, DataRefusedError)
    assert refused.exit_code == 3
    assert "for 2025-05-31 run its whole chain" in refused.message


@pytest.mark.usefixtures("published")
def test_a_scorecard_that_is_not_due_is_trained_by_force_only() -> None:
    line = ["models", "train", "borrowers", "--as-of", "2026-06-30"]
    refused = CliRunner().invoke(app, line)
    assert isinstance(refused.exception, UsageError)
    assert "not due: last trained as of 2026-06-30" in refused.exception.message
    again = [*line, "--force", "--seed", "3", "--json"]
    forced = CliRunner().invoke(app, again, catch_exceptions=False)
    assert forced.exit_code == 0, forced.stdout
    answer = json.loads(forced.stdout)
    assert answer["version"] == "2"
    assert {"auc_hold_out", "parity"} <= {gate["gate"] for gate in answer["gates"]}
    assert answer["reason"]


@pytest.mark.usefixtures("published")
def test_a_failed_gate_is_said_with_what_it_measured() -> None:
    from models_ml.run import retraining, unscored
    from models_ml.run.training import train_declared
    from models_ml.spec import scorecard

    spec = scorecard("borrowers")
    strict = spec.model_copy(update={"gates": spec.gates.model_copy(update={"min_auc_hold_out": 0.99})})
    train_declared("borrowers", strict, date(2026, 6, 30), seed=5)
    assert retraining.promote_challengers("borrowers") == []
    (said,) = unscored.without_champion("borrowers")
    assert re.search(
        r"borrowers\.borrowers v3 is not champion: gates did not pass: hold-out AUC 0\.\d+", said
    )
