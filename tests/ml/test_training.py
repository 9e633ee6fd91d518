"""From features to champion to scores, through a real warehouse and a real MLflow store."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from creditops.errors import CreditOpsError, DataRefusedError, UsageError
from creditops.warehouse import connect
from models_ml.card.evaluate import score_frame
from models_ml.data.dataset import load_training_set
from models_ml.fit.fitting import fit
from models_ml.lifecycle import registry
from models_ml.lifecycle.registry import PromotionOutcome
from models_ml.run import monitoring, retraining, scoring
from models_ml.run.training import TrainingOutcome, train
from models_ml.spec import scorecard
from models_ml.store import tracking
from models_ml.validate.gates import Gate
from tests.ml.feature_tables import labels, synthetic_retail, write_table

AS_OF = date(2026, 6, 30)
NAME = "demo.retail_behaviour"


@pytest.fixture(scope="module", autouse=True)
def _features(module_warehouse: str, mlflow_store: Path) -> None:
    behaviour, bureau, bad = synthetic_retail(customers=900, dates=14)
    keys = behaviour[["book", "customer_id", "observation_date"]]
    write_table("feat_retail_behaviour", behaviour)
    write_table("feat_bureau", bureau)
    write_table("label_default", labels(keys, bad))
    with connect("builder") as connection:
        connection.execute(
            "update features.label_default set exclusion = 'in_default' where customer_id < 'R000020'"
        )
        connection.execute(
            "update features.label_default set exclusion = 'closed' where customer_id >= 'R000890'"
        )
        connection.execute(
            "update features.label_default set label = 'indeterminate' where customer_id = 'R000100'"
        )


@pytest.fixture(scope="module")
def first(_features: None) -> TrainingOutcome:
    return train("demo", "retail_behaviour", AS_OF, actor="trainer")


@pytest.fixture(scope="module")
def champion(first: TrainingOutcome) -> PromotionOutcome:
    return registry.promote(NAME, first.model_version)


def _scores() -> pd.DataFrame:
    with connect("modeller") as connection:
        cursor = connection.execute("select * from scoring.customer_scores order by customer_id")
        return pd.DataFrame(cursor.fetchall(), columns=[c.name for c in cursor.description or ()])


def test_training_logs_figures_tables_plots_and_a_usable_model(first: TrainingOutcome) -> None:
    client = tracking.client()
    run = client.get_run(first.run_id)
    metrics = run.data.metrics
    assert metrics["hold_out_auc_low"] < metrics["hold_out_auc"] < metrics["hold_out_auc_high"]
    assert metrics["hold_out_gini"] == pytest.approx(2 * metrics["hold_out_auc"] - 1)
    assert {"development_ks", "out_of_time_psi", "hold_out_brier"} <= set(metrics)
    assert any(name.startswith("iv.") for name in metrics)
    assert {"snapshot_id", "code_version", "seed", "as_of"} <= set(run.data.params)
    files = {f.path for f in client.list_artifacts(first.run_id)}
    assert {"validation_pack.html", "binning_tables.csv", "points_table.csv", "plots", "gates.json"} <= files
    import mlflow

    model = mlflow.pyfunc.load_model(f"models:/{NAME}/{first.model_version}")
    assert model.metadata.signature is not None
    example = model.input_example
    table = registry.load_table(NAME, first.model_version)
    assert table is not None
    pd.testing.assert_frame_equal(model.predict(example), score_frame(table, example), check_dtype=False)


def test_the_pack_shows_gates_points_and_both_languages(first: TrainingOutcome, tmp_path: Path) -> None:
    page = Path(tracking.client().download_artifacts(first.run_id, "validation_pack.html", str(tmp_path)))
    text = page.read_text(encoding="utf-8")
    for expected in ("零售行为评分卡", "Retail behaviour scorecard", "no_leakage", "Jeffreys",
                     "excluded: in_default", "剔除：已违约",
                     "data:image/png;base64,"):  # fmt: skip
        assert expected in text


def test_excluded_and_indeterminate_customers_are_not_trained_on(first: TrainingOutcome) -> None:
    rows = sum(value for name, value in first.metrics.items() if name.endswith("_rows"))
    dates = len(tracking.client().get_run(first.run_id).data.params["observation_dates"].split(","))
    assert rows == dates * (900 - 20 - 10 - 1)


def test_only_windows_that_had_ended_are_used(first: TrainingOutcome) -> None:
    used = tracking.client().get_run(first.run_id).data.params["observation_dates"].split(", ")
    assert max(used) == "2025-06-30"


def test_the_same_data_and_seed_give_the_same_table_to_the_byte(first: TrainingOutcome) -> None:
    spec = scorecard("retail_behaviour")
    again = fit("demo", spec, load_training_set("demo", spec, AS_OF))
    one = registry.load_table(NAME, first.model_version)
    assert one is not None
    assert one.to_json() == again.table.to_json()


def test_training_twice_with_the_same_inputs_makes_one_version(first: TrainingOutcome) -> None:
    before = [each["version"] for each in registry.list_versions("demo")]
    again = train("demo", "retail_behaviour", AS_OF, actor="trainer")
    assert (again.model_version, again.is_new) == (first.model_version, False)
    assert (again.run_id, again.gates_passed) == (first.run_id, first.gates_passed)
    assert again.metrics == pytest.approx(again.metrics | first.metrics, nan_ok=True)
    assert [each["version"] for each in registry.list_versions("demo")] == before


def test_a_promoted_version_is_champion_with_tags_and_audit(
    first: TrainingOutcome, champion: PromotionOutcome
) -> None:
    assert champion.promoted
    (held,) = registry.champions("demo")
    assert (held["scorecard"], held["version"]) == ("retail_behaviour", first.model_version)
    shown = registry.show(NAME)
    assert shown["status"] == "champion"
    assert shown["decided_by"] == "gates"
    assert all(gate["passed"] for gate in shown["gates"])
    with connect("modeller") as connection:
        actions = connection.execute(
            "select action, actor from ops.audit where object = %s", (NAME,)
        ).fetchall()
    assert {("model.train", "trainer"), ("model.promote", "gates")} <= set(actions)
    assert (registry.history(NAME) or {})["version"] == first.model_version


def test_the_champion_scores_in_the_warehouse_as_the_pyfunc_does(champion: PromotionOutcome) -> None:
    rows = scoring.score("demo", AS_OF)
    scores = _scores()
    assert rows == len(scores) == 890
    table = registry.load_table(NAME, champion.version)
    assert table is not None
    behaviour, bureau, _ = synthetic_retail(customers=900, dates=14)
    joined = behaviour.merge(bureau, how="left", on=["book", "customer_id", "observation_date"])
    today = joined[joined["observation_date"] == AS_OF].sort_values("customer_id")
    today["overdue_elsewhere"] = today["overdue_elsewhere"].astype("float64")
    for name in today:
        if today[name].dtype == "float64" and name not in ("utilisation_now", "utilisation_avg_3m"):
            from tests.ml.feature_tables import column_type

            digits = {"integer": 0, "numeric(18,2)": 2}.get(column_type(str(name)))
            today[name] = today[name] if digits is None else today[name].round(digits)
    expected = score_frame(table, today.iloc[:890])
    assert scores["score"].tolist() == expected["score"].tolist()
    assert (scores["score"] == scores["points_total"]).all()
    in_default = scores["customer_id"] < "R000020"
    assert set(scores.loc[in_default, "grade"]) == {"D"}
    assert set(scores.loc[in_default, "pd"]) == {1.0}
    assert scores.loc[~in_default, "pd"].tolist() == expected.loc[~in_default.to_numpy(), "pd"].tolist()
    assert scores.loc[~in_default, "reason_1"].fillna("").tolist() == (
        expected.loc[~in_default.to_numpy(), "reason_1"].fillna("").tolist()
    )


def test_scoring_twice_leaves_the_same_rows(champion: PromotionOutcome) -> None:
    scoring.score("demo", AS_OF)
    before = _scores()
    scoring.score("demo", AS_OF)
    pd.testing.assert_frame_equal(before, _scores())


def test_monitoring_finds_a_stable_score_and_a_shifted_one(champion: PromotionOutcome) -> None:
    scoring.score("demo", AS_OF)
    assert monitoring.monitor("demo", AS_OF) > 5
    with connect("modeller") as connection:
        rows = connection.execute(
            "select metric, segment, value, status from scoring.model_monitoring where as_of_date = %s",
            (AS_OF,),
        ).fetchall()
    found = {(metric, segment): (value, status) for metric, segment, value, status in rows}
    assert found["population", "all"][0] == 890
    assert found["psi", "all"][1] == "green"
    assert any(metric == "csi" for metric, _ in found)
    assert sum(
        value for (metric, _), (value, _) in found.items() if metric == "grade_share"
    ) == pytest.approx(1)
    with connect("modeller") as connection:
        connection.execute(
            "update scoring.customer_scores set score = score - 60 where customer_id > 'R000400'"
        )
    monitoring.monitor("demo", AS_OF)
    with connect("modeller") as connection:
        value, status = connection.execute(
            "select value, status from scoring.model_monitoring where metric = 'psi'"
        ).fetchone() or (0, "")
    assert value > 0.25
    assert status == "red"


SEEDS = count(1)
"""Each test has a challenger of its own: the same inputs would give the same version."""


@pytest.fixture
def challenger(champion: PromotionOutcome) -> Iterator[TrainingOutcome]:
    outcome = train("demo", "retail_behaviour", date(2026, 3, 31), seed=next(SEEDS), actor="trainer")
    yield outcome
    if registry.alias_version(NAME, "champion") != champion.version:
        registry.rollback(NAME, actor="approver", reason="put back")


def copy_of(outcome: TrainingOutcome, gates: list[Gate], **facts: str) -> str:
    """Another version of the same model, challenger, with gates and facts of its own; its number."""
    client = tracking.client()
    source = client.get_model_version(NAME, outcome.model_version).source
    number = str(client.create_model_version(NAME, source, outcome.run_id).version)
    registry.mark_challenger(NAME, number, actor="trainer", gates=gates, tags=facts)
    return number


def test_approve_and_roll_back_move_the_champion_and_leave_history(
    champion: PromotionOutcome, challenger: TrainingOutcome
) -> None:
    version = copy_of(challenger, [Gate("auc_hold_out", True, 0.8, 0.65, "passed")])
    with pytest.raises(UsageError, match="trained"):
        registry.approve(NAME, "challenger", actor="trainer", reason="mine")
    with pytest.raises(UsageError, match="reason"):
        registry.approve(NAME, "challenger", actor="approver", reason=" ")
    registry.approve(NAME, "challenger", actor="approver", reason="better documented")
    assert registry.alias_version(NAME, "champion") == version
    assert registry.alias_version(NAME, "challenger") is None
    assert registry.rollback(NAME, actor="approver", reason="complaints") == champion.version
    assert registry.alias_version(NAME, "champion") == champion.version
    assert (registry.history(NAME) or {})["action"] == "model.rollback"
    assert registry.show(NAME, version)["status"] == "rolled_back"


def test_a_challenger_is_compared_with_the_champion_on_the_same_rows(
    champion: PromotionOutcome, challenger: TrainingOutcome
) -> None:
    comparison = registry.show(NAME, challenger.model_version)["champion_comparison"]
    assert comparison["version"] == champion.version
    assert comparison["rows"] == challenger.metrics["hold_out_rows"]
    rows = {row["metric"]: row for row in registry.compare(NAME, champion.version, challenger.model_version)}
    assert rows["hold_out_auc"][challenger.model_version] == challenger.metrics["hold_out_auc"]
    assert rows["code_version"]["difference"] == ""


def test_a_challenger_that_is_worse_does_not_replace_the_champion(
    champion: PromotionOutcome, challenger: TrainingOutcome
) -> None:
    comparison = registry.show(NAME, challenger.model_version)["champion_comparison"]
    worse = comparison | {"difference": -0.05, "auc": 0.7, "champion_auc": 0.75}
    number = copy_of(challenger, challenger.gates, champion_comparison=json.dumps(worse))
    outcome = registry.promote(NAME, number)
    assert not outcome.promoted
    assert "worse than champion" in outcome.reason
    assert registry.alias_version(NAME, "champion") == champion.version


def test_a_failed_gate_stops_promotion_and_approval(
    champion: PromotionOutcome, challenger: TrainingOutcome
) -> None:
    failed = [dataclasses.replace(challenger.gates[0], passed=False, message="hold-out AUC too low")]
    number = copy_of(challenger, failed)
    assert "hold-out AUC too low" in registry.promote(NAME, number).reason
    with pytest.raises(DataRefusedError, match="did not pass its gates"):
        registry.approve(NAME, number, actor="approver", reason="please")
    with pytest.raises(UsageError, match="registered already"):
        registry.mark_challenger(NAME, number, actor="trainer", gates=challenger.gates, tags={})


def test_a_rejected_version_loses_its_alias_and_is_not_promoted(
    champion: PromotionOutcome, challenger: TrainingOutcome
) -> None:
    registry.reject(NAME, challenger.model_version, actor="approver", reason="too few characteristics")
    assert registry.alias_version(NAME, "challenger") is None
    assert "rejected" in registry.promote(NAME, challenger.model_version).reason
    with pytest.raises(UsageError, match="is the champion"):
        registry.reject(NAME, champion.version, actor="approver", reason="no")


def test_a_scorecard_is_due_once_a_month(champion: PromotionOutcome) -> None:
    assert retraining.due("demo", AS_OF) == []
    assert retraining.due("demo", date(2026, 7, 31)) == ["retail_behaviour"]
    assert retraining.due("demo", date(2024, 5, 31)) == []
    assert retraining.due("taiwan_cards", AS_OF) == []


def test_a_book_without_champion_is_said_to_have_none(champion: PromotionOutcome) -> None:
    with pytest.raises(CreditOpsError, match="no champion"):
        scoring.score("taiwan_cards", AS_OF)
    with pytest.raises(UsageError, match="not for book"):
        train("taiwan_cards", "retail_behaviour", AS_OF)
    with pytest.raises(UsageError, match="there is no demo"):
        registry.show(NAME, "999")


def test_a_pyfunc_that_is_no_points_table_scores_in_chunks(
    champion: PromotionOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow
    from sklearn.linear_model import LogisticRegression

    features = ["utilisation_now", "inquiries_3m"]
    behaviour, bureau, bad = synthetic_retail(customers=300, dates=2)
    frame = behaviour.merge(bureau, on=["book", "customer_id", "observation_date"], how="left")
    x = frame[features].astype("float64").fillna(0.0)
    fitted = LogisticRegression().fit(x, bad)

    class Model(mlflow.pyfunc.PythonModel):
        def predict(self, context: object, model_input: pd.DataFrame, params: object = None) -> np.ndarray:
            if len(model_input) > 100:  # the whole population must never be in memory at once
                raise ValueError(f"a chunk of {len(model_input)} rows")
            return fitted.predict_proba(model_input.fillna(0.0))[:, 1]

    tracking.client()
    mlflow.set_experiment("outside")
    with mlflow.start_run():
        mlflow.pyfunc.log_model(
            name="model", python_model=Model(), registered_model_name=NAME, pip_requirements=["numpy"],
            signature=mlflow.models.infer_signature(x, np.array([0.1])),
        )  # fmt: skip
    newest = tracking.client().search_model_versions(f"name='{NAME}'")
    version = str(max(int(each.version) for each in newest))
    passed = [Gate("judged_outside", True, None, None, "validated by hand")]
    registry.mark_challenger(NAME, version, actor="outsider", gates=passed, tags={})
    registry.approve(NAME, version, actor="approver", reason="validated outside")
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 100)
    try:
        assert scoring.score("demo", AS_OF) == 890
        scores = _scores()
        assert set(scores["model_version"]) == {version}
        assert scores["reason_1"].isna().all()
        today = behaviour_today()[features].fillna(0.0)
        expected = np.where(scores["customer_id"] < "R000020", 1.0, fitted.predict_proba(today)[:, 1])
        assert scores["pd"].to_numpy() == pytest.approx(expected, abs=1e-12)
        assert scores["observed_on"].unique().tolist() == [AS_OF]
        assert monitoring.monitor("demo", AS_OF) >= 4
    finally:
        assert registry.rollback(NAME, actor="approver", reason="put back") == champion.version


def behaviour_today() -> pd.DataFrame:
    """Features of the customers that are scored, as numbers and in their order."""
    behaviour, bureau, _ = synthetic_retail(customers=900, dates=14)
    joined = behaviour.merge(bureau, how="left", on=["book", "customer_id", "observation_date"])
    today = joined[joined["observation_date"] == AS_OF].sort_values("customer_id").iloc[:890]
    return today.assign(inquiries_3m=today["inquiries_3m"].astype("float64"))


def test_a_scorecard_without_enough_bads_does_not_hold_up_the_others(
    champion: PromotionOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models_ml.spec import scorecard
    from models_ml.store import audit

    poor = scorecard("retail_behaviour")
    poor = poor.model_copy(
        update={
            "name": "poor_card",
            "population": poor.population.model_copy(update={"min_bads": 10_000}),
        }
    )
    cards = [poor, scorecard("retail_behaviour")]
    monkeypatch.setattr(retraining, "scorecards_of", lambda book: cards)
    monkeypatch.setattr(
        "models_ml.run.training.find_scorecard", lambda name: {c.name: c for c in cards}[name]
    )
    day = date(2026, 7, 31)
    outcomes = retraining.retrain_due("demo", day)
    assert [each.scorecard for each in outcomes] == ["retail_behaviour"]
    assert audit.is_recorded("model.not_trained", "demo.poor_card", {"as_of": day.isoformat()})
    registry.reject(NAME, outcomes[0].model_version, actor="approver", reason="only a trial")
    monkeypatch.setattr(retraining, "scorecards_of", lambda book: [poor] if book == "demo" else [])
    assert retraining.retrain_due("demo", day) == []
    monkeypatch.setattr(registry, "champions", lambda book: [])
    with pytest.raises(DataRefusedError, match="fewer than 10000"):
        retraining.retrain_due("demo", day)
