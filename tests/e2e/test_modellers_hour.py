"""A modeller's hour through the real services: drift, retrain, approve, publish, roll back.

The book is of its own, with a scorecard of its own in the data home, whose promotion is by approval and
whose training is called for by drift.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from creditops.errors import CreditOpsError
from creditops.services.airflow_api import AirflowApi, Approval
from creditops.settings import PROJECT_ROOT, get_settings
from tests.e2e.conftest import Command, query, until

pytestmark = pytest.mark.e2e

BOOK, SCORECARD = "modellers_hour", "hour_behaviour"
NAME = f"{BOOK}.{SCORECARD}"
FIRST, SECOND = date(2026, 6, 30), date(2026, 7, 31)


def question(version: str, since: datetime) -> Approval:
    """The open question about a version, once it is asked."""

    def look() -> Approval | None:
        with AirflowApi() as api:
            for run in api.dag_runs(dag_ids=["approve_scorecards"], since=since):
                for asked in api.approvals(run):
                    if f"{NAME} version {version} " in asked.subject:
                        return asked
        return None

    return until(f"a question about version {version}", look)


def answer(approval: Approval, who: str, option: str, reason: str) -> None:
    with AirflowApi(who) as api:
        api.answer(approval, option, {"reason": reason})


def published_by(creditops: Command, version: str, day: date, since: datetime) -> None:
    """Wait until the runs since a moment have published the day with a version, and are over."""

    def look() -> bool | None:
        rows = query(
            creditops,
            "select distinct model_version, as_of_date::text as day"
            f" from publish.customer_scores where book = '{BOOK}'",
        )
        found = [(row["model_version"], row["day"]) for row in rows]
        return True if found == [(version, day.isoformat())] else None

    until(f"{day} published with version {version}", look)

    def quiet() -> bool | None:
        with AirflowApi() as api:
            runs = [r for r in api.dag_runs(since=since) if (r.partition_key or "").startswith(f"{BOOK}|")]
            open_ = [r for r in runs if not r.finished and r.dag_id != "approve_scorecards"]
        return None if open_ else True

    until("the round's end", quiet)


def scores(creditops: Command) -> list[dict[str, Any]]:
    return query(
        creditops,
        "select customer_id, scorecard, model_version, score, pd::text as pd, grade, points_total, reason_1,"
        " reason_2, reason_3, reason_4, reason_1_zh, observed_on::text as observed_on"
        f" from publish.customer_scores where book = '{BOOK}' order by customer_id",
    )


@pytest.fixture(scope="module")
def book(platform: Path, creditops: Command) -> None:
    """A small book, landed, and its scorecard."""
    from creditops.simulate import simulate

    shipped = PROJECT_ROOT / "models_ml" / "scorecards" / "retail_behaviour.yml"
    declared = yaml.safe_load(shipped.read_text()) | {
        "name": SCORECARD,
        "books": [BOOK],
        "promotion": "approval",
        "retraining": {"every_months": 12, "on_drift": True},
    }
    declared["gates"] = declared["gates"] | {"max_gini_drop": 0.3}
    own = get_settings().home / "scorecards"
    own.mkdir()
    (own / f"{SCORECARD}.yml").write_text(yaml.safe_dump(declared, allow_unicode=True))
    out = platform / "simulated" / "hour"
    simulate(out, book=BOOK, customers=700, months=30, seed=5, as_of=FIRST)
    landed = creditops("ingest", BOOK, str(out), "--as-of", FIRST.isoformat(), "--land-only")
    assert landed.returncode == 0, landed.stderr


def test_a_modellers_hour(book: None, creditops: Command) -> None:
    # The first scorecard: trained and submitted; no score is published before somebody approves it.
    since = datetime.now(UTC)
    ran = creditops("run", "all", "--book", BOOK, "--as-of", FIRST.isoformat())
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert scores(creditops) == []
    asked = question("1", since)
    assert "validation_pack.html" in (asked.body or "")
    with pytest.raises(CreditOpsError, match="not a respondent"):
        answer(asked, "modeller", "Approve", "mine")
    answer(asked, "approver", "Approve", "first scorecard of the book")
    published_by(creditops, "1", FIRST, since)

    # A month in which nobody pays: the population drifts, which calls for training by itself.
    since = datetime.now(UTC)
    ran = creditops("run", "all", "--book", BOOK, "--as-of", SECOND.isoformat())
    assert ran.returncode == 0, ran.stdout + ran.stderr
    published_by(creditops, "1", SECOND, since)
    before = scores(creditops)
    assert {row["model_version"] for row in before} == {"1"}
    (drift,) = query(
        creditops,
        f"select status from publish.model_monitoring where book = '{BOOK}' and metric = 'psi'",
    )
    assert drift == {"status": "red"}
    asked = question("2", since)
    assert scores(creditops) == before
    shown = json.loads(creditops("models", "show", NAME, "challenger", "--json").stdout)
    assert "PSI of the score" in shown["trained_because"]
    assert all(gate["passed"] for gate in shown["gates"])
    assert shown["champion_comparison"]["version"] == "1"
    pack = _artifact(shown["run_id"], "validation_pack.html")
    assert SCORECARD in pack

    # The trainer and a modeller may not answer; the approver does, with a reason, and it is published.
    refused = creditops(
        "models", "approve", NAME, "2", "--actor", shown["trained_by"], "--reason", "I trained it"
    )
    assert refused.returncode == 2
    assert "cannot approve" in refused.stderr
    since = datetime.now(UTC)
    answer(asked, "approver", "Approve", "population has moved")
    published_by(creditops, "2", SECOND, since)
    after = scores(creditops)
    assert {row["customer_id"] for row in after} == {row["customer_id"] for row in before}
    assert after != before

    # Rollback: the scores are as before, to the row.
    since = datetime.now(UTC)
    undone = creditops("models", "rollback", NAME, "--actor", "approver", "--reason", "complaints")
    assert undone.returncode == 0, undone.stderr
    again = creditops("run", "publish", "--book", BOOK, "--as-of", SECOND.isoformat())
    assert again.returncode == 0, again.stdout + again.stderr
    assert scores(creditops) == before

    # Who let which version score, and why.
    told = json.loads(creditops("models", "history", NAME, "--at", SECOND.isoformat(), "--json").stdout)
    let = [(each["version"], each["let_by"], each["reason"]) for each in told["publications"]]
    assert let[0] == ("1", "approver", "first scorecard of the book")
    assert ("2", "approver", "population has moved") in let
    timeline = json.loads(creditops("models", "history", NAME, "--json").stdout)
    assert [(step["action"], step["version"]) for step in timeline] == [
        ("model.train", "1"), ("model.submit", "1"), ("model.approve", "1"), ("model.drift", "1"),
        ("model.train", "2"), ("model.submit", "2"), ("model.approve", "2"), ("model.rollback", "1"),
    ]  # fmt: skip
    compared = creditops("models", "compare", NAME, "1", "2")
    assert compared.returncode == 0, compared.stderr
    assert "hold_out_auc" in compared.stdout
    published_by(creditops, "1", SECOND, since)


def _artifact(run_id: str, path: str) -> str:
    import mlflow

    from models_ml.store import tracking

    tracking.client()
    found = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path)
    return Path(found).read_text(encoding="utf-8")
