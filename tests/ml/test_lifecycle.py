"""The life of versions beyond training: approval, retirement, history, overrides, drift, shadow scores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pytest

from creditops.errors import DataRefusedError, UsageError
from creditops.warehouse import audit as warehouse_audit
from creditops.warehouse import connect
from models_ml import (
    spec as declarations,
)
from models_ml.lifecycle import overrides, registry
from models_ml.lifecycle.overrides import Request
from models_ml.run import approval, drift, monitoring, retraining, scoring, shadow
from models_ml.run.training import TrainingOutcome, train
from models_ml.store import audit, tracking
from models_ml.validate import (
    backtest,
    version_comparison,  # fmt: skip
)
from models_ml.validate.gates import Gate
from tests.ml.feature_tables import labels, synthetic_retail, write_table

AS_OF = date(2026, 6, 30)
NAME, CARD = "demo.retail_behaviour", "retail_behaviour"
PASSED = [Gate("auc_hold_out", True, 0.8, 0.65, "hold-out AUC 0.8")]


@pytest.fixture(scope="module", autouse=True)
def _features(module_warehouse: str, mlflow_store: Path) -> None:
    behaviour, bureau, bad = synthetic_retail(customers=500, dates=14)
    write_table("feat_retail_behaviour", behaviour)
    write_table("feat_bureau", bureau)
    write_table("label_default", labels(behaviour[["book", "customer_id", "observation_date"]], bad))
    with connect("builder") as connection:
        connection.execute(
            "create table marts.dim_customer as"
            " select 'demo' as book, customer_id, 'retail' as customer_type,"
            " (array['f', 'm'])[1 + number % 2] as sex, 1950 + number % 50 as birth_year,"
            " (array['north', 'south', 'west'])[1 + number % 3] as region"
            " from (select distinct customer_id, substr(customer_id, 2)::int as number"
            " from features.feat_retail_behaviour) as customers"
        )


@pytest.fixture(scope="module")
def trained(_features: None) -> TrainingOutcome:
    """Version 1, champion by approval, scored and monitored."""
    outcome = train("demo", CARD, AS_OF, actor="modeller")
    registry.approve(NAME, outcome.model_version, actor="approver", reason="first")
    scoring.score("demo", AS_OF)
    monitoring.monitor("demo", AS_OF)
    return outcome


def _copy_of(trained: TrainingOutcome, trainer: str) -> str:
    client = tracking.client()
    source = client.get_model_version(NAME, trained.model_version).source
    number = str(client.create_model_version(NAME, source, trained.run_id).version)
    registry.mark_challenger(NAME, number, actor=trainer, gates=PASSED, tags={"as_of": AS_OF.isoformat()})
    return number


@pytest.fixture
def copy(trained: TrainingOutcome) -> Iterator[str]:
    """Another version of the same model, challenger with passed gates; rejected afterwards."""
    number = _copy_of(trained, trainer="modeller")
    yield number
    if registry.alias_version(NAME, "champion") == number:
        registry.rollback(NAME, actor="approver", reason="put back")
    if registry.alias_version(NAME, "challenger") == number:
        registry.reject(NAME, number, actor="approver", reason="only a copy")


@pytest.fixture
def by_approval(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scorecard's promotion is by approval."""
    card = declarations.scorecard(CARD).model_copy(update={"promotion": "approval"})
    for module in (approval, retraining):
        monkeypatch.setattr(module, "scorecards_of", lambda book: [card] if book == "demo" else [])


def test_a_pending_challenger_is_submitted_once_and_never_to_its_trainer(
    by_approval: None, trained: TrainingOutcome, copy: str
) -> None:
    assert retraining.promote_challengers("demo") == []
    (question,) = approval.submit("demo")
    assert (question.name, question.version) == (NAME, copy)
    assert "AUC, hold_out" in question.body
    assert question.approvers == ["admin", "approver"]
    assert approval.submit("demo") == []
    assert [each.version for each in approval.pending("demo")] == [copy]
    tracking.client().set_model_version_tag(NAME, copy, "trained_by", "approver")
    assert approval.pending("demo")[0].approvers == ["admin", "approver"]  # MLflow's tags do not count
    own = _copy_of(trained, trainer="approver")
    assert approval.pending("demo")[0].approvers == ["admin"]
    registry.reject(NAME, own, actor="admin", reason="only a copy")


def test_whoever_asked_for_a_training_does_not_approve_what_came_of_it(
    by_approval: None, trained: TrainingOutcome
) -> None:
    march = "2026-03-31"
    with connect("publisher") as connection:  # the command line's, then one started in Airflow itself
        warehouse_audit.append(connection, "admin", "run.request", f"demo|{march}", after={"run": "all"})
        warehouse_audit.append(connection, "modeller", "run.request", f"demo|{march}", after={"run": "x/y"})
        warehouse_audit.append(connection, "approver", "run.request", "demo|2026-04-30", after={"run": "all"})
    client = tracking.client()
    source = client.get_model_version(NAME, trained.model_version).source
    number = str(client.create_model_version(NAME, source, trained.run_id).version)
    registry.mark_challenger(NAME, number, actor="airflow", gates=PASSED, tags={"as_of": march})
    assert approval.pending("demo")[0].approvers == ["approver"]
    for person in ("admin", "modeller"):
        with pytest.raises(UsageError, match="asked for it"):
            approval.decide(NAME, number, option="Approve", actor=person, reason="mine")
    registry.reject(NAME, number, actor="approver", reason="only a copy")


def test_answers_are_carried_out_once(by_approval: None, copy: str) -> None:
    with pytest.raises(UsageError, match="reason"):
        approval.decide(NAME, copy, option="Approve", actor="approver", reason="")
    with pytest.raises(UsageError, match="trained"):
        approval.decide(NAME, copy, option="Approve", actor="modeller", reason="mine")
    with pytest.raises(UsageError, match="may not approve"):
        approval.decide(NAME, copy, option="Approve", actor="passer-by", reason="why not")
    assert approval.decide(NAME, copy, option="Approve", actor="approver", reason="good")["promoted"]
    late = approval.decide(NAME, copy, option="Reject", actor="admin", reason="too late")
    assert (late["option"], late["promoted"]) == ("superseded", False)
    assert registry.alias_version(NAME, "champion") == copy


def test_a_retired_version_is_neither_approved_nor_gone_back_to(trained: TrainingOutcome, copy: str) -> None:
    registry.approve(NAME, copy, actor="approver", reason="next")
    third = _copy_of(trained, trainer="modeller")
    registry.approve(NAME, third, actor="approver", reason="after next")
    with pytest.raises(UsageError, match="may not approve"):
        registry.retire(NAME, copy, actor="passer-by", reason="I can")
    registry.retire(NAME, copy, actor="approver", reason="data withdrawn")
    with pytest.raises(DataRefusedError, match="was retired by approver: data withdrawn"):
        registry.approve(NAME, copy, actor="admin", reason="again")
    with pytest.raises(UsageError, match="may not approve"):
        registry.rollback(NAME, actor="passer-by", reason="I can")
    assert registry.rollback(NAME, actor="approver", reason="complaints") == trained.model_version
    with pytest.raises(UsageError, match="none to go back to"):
        registry.rollback(NAME, actor="approver", reason="complaints")


def test_history_tells_who_let_which_version_and_why(trained: TrainingOutcome, copy: str) -> None:
    between = audit.steps(NAME)[-1]["at"]
    registry.approve(NAME, copy, actor="admin", reason="sharper")
    now = registry.history(NAME)
    before = registry.history(NAME, between)
    assert now is not None
    assert before is not None
    assert (now["version"], now["actor"], now["reason"]) == (copy, "admin", "sharper")
    assert before["version"] == trained.model_version
    last = registry.timeline(NAME)[-1]
    assert (last["action"], last["version"], last["before"]) == ("model.approve", copy, trained.model_version)


def test_the_pack_shows_lineage_groups_benchmarks_and_the_change_log(
    trained: TrainingOutcome, tmp_path: Path
) -> None:
    page = Path(tracking.client().download_artifacts(trained.run_id, "validation_pack.html", str(tmp_path)))
    text = page.read_text(encoding="utf-8")
    for expected in ("gradient boosting monotone", "梯度提升（单调）", "sex = f", "region = north",
                     "age_band = 25 to 34", "Hosmer-Lemeshow", "observation_date = ",
                     "变更记录", "首个版本", "准入线分析", "公平性",
                     "变量稳定性", "使用限制"):  # fmt: skip
        assert expected in text, expected
    assert "不评判" in text  # so few rows decide nothing
    assert 'lang-en" checked' in text
    chinese = tracking.client().download_artifacts(trained.run_id, "validation_pack.zh.html", str(tmp_path))
    assert 'lang-zh" checked' in Path(chinese).read_text(encoding="utf-8")
    seeds = json.loads(
        Path(tracking.client().download_artifacts(trained.run_id, "evidence.json", str(tmp_path))).read_text()
    )["seeds"]
    assert list(seeds) == ["0", "1", "2"]
    assert len(set(seeds.values())) == 3
    assert 0.5 < trained.metrics["gradient_boosting_free_hold_out_auc"] < 1


def test_benchmarks_are_pyfuncs_that_need_nothing_of_the_project(trained: TrainingOutcome) -> None:
    import mlflow

    tracking.client()
    found = {
        each.name: each
        for each in mlflow.search_logged_models(
            experiment_ids=[tracking.client().get_run(trained.run_id).info.experiment_id],
            output_format="list",
        )
    }
    assert {"gradient_boosting_monotone", "gradient_boosting_free"} <= set(found)
    model = mlflow.pyfunc.load_model(found["gradient_boosting_monotone"].model_uri)
    names = model.metadata.get_input_schema().input_names()
    behaviour, bureau, _ = synthetic_retail(customers=50, dates=2)
    frame = behaviour.merge(bureau, how="left", on=["book", "customer_id", "observation_date"])[names]
    frame = frame.astype("float64")
    riskier = model.predict(frame.assign(utilisation_now=1.0))["pd"]
    safer = model.predict(frame.assign(utilisation_now=0.0))["pd"]
    assert (riskier >= safer).all()
    assert riskier.between(0, 1).all()


def test_versions_are_compared_side_by_side(trained: TrainingOutcome, copy: str) -> None:
    found = version_comparison.compare(NAME, trained.model_version, copy)
    assert {row["in"] for row in found.characteristics} == {"both"}
    assert {row["change"] for row in found.characteristics} == {""}
    assert all(row["difference"] == 0 for row in found.metrics)
    page = version_comparison.render(found)
    assert found.characteristics[0]["characteristic"] in page
    assert "入模变量" in page


def test_a_change_log_names_what_came_went_and_moved(trained: TrainingOutcome) -> None:
    table = registry.load_table(NAME, trained.model_version)
    assert table is not None
    first, second, *rest = table.characteristics
    moved = replace(first, bins=tuple(replace(b, points=b.points + 2) for b in first.bins))
    other = table.with_characteristics((moved, replace(second, name="other_name"), *rest))
    changes = {row["characteristic"]: row for row in version_comparison.characteristic_changes(table, other)}
    assert changes[first.name]["change"] == "points: by up to 2"
    assert changes["other_name"]["change"] == "new"
    assert changes[second.name]["change"] == "dropped"


def test_the_challenger_scores_in_the_shadow_unpublished(trained: TrainingOutcome, copy: str) -> None:
    assert shadow.score_challengers("demo", AS_OF) == 500
    monitoring.monitor("demo", AS_OF)
    with connect("modeller") as connection:
        differing = connection.execute(
            "select count(*) from scoring.shadow_scores s join scoring.customer_scores c"
            " using (book, as_of_date, scorecard, customer_id) where (s.score, s.pd, s.grade)"
            " is distinct from (c.score, c.pd, c.grade)"
        ).fetchone()
        rows = connection.execute(
            "select metric, value from scoring.model_monitoring where segment = %s", (f"version {copy}",)
        ).fetchall()
        versions = connection.execute("select distinct model_version from scoring.customer_scores").fetchall()
    assert differing == (0,)
    assert dict(rows)["shadow_grade_changed"] == 0
    assert versions == [(trained.model_version,)]


def test_the_backtest_sets_defaults_against_pds_and_finds_what_is_off(trained: TrainingOutcome) -> None:
    card = declarations.scorecard(CARD)
    table = registry.load_table(NAME, trained.model_version)
    assert table is not None
    with connect("modeller", large_joins=True) as connection:
        (window,) = backtest.windows(connection, "demo", AS_OF, card)[-1:]
        rows = backtest.scored_outcomes(connection, "demo", card, table, window)
        found = {(f[0], f[1]): f for f in backtest.figures(connection, "demo", AS_OF, card, table)}
        bads = connection.execute(
            "select count(*) filter (where bad), count(*) from features.label_default"
            " where observation_date = %s", (window.observed_on,),
        ).fetchone()  # fmt: skip
    assert (window.observed_on, window.months) == (date(2025, 6, 30), 12)
    assert bads == (int((rows["bad"] * rows["count"]).sum()), int(rows["count"].sum()))
    assert found["actual_to_expected", "all"][-1] in ("green", "amber")
    assert found["auc_12m", "all"][2] > 0.6
    assert {s for m, s in found if m == "actual_to_expected_12m"} == {
        "all", "customer_type=retail", "region=north", "region=south", "region=west",
    }  # fmt: skip
    doubled = replace(
        table, calibration=replace(table.calibration, intercept=table.calibration.intercept - 2)
    )
    with connect("modeller", large_joins=True) as connection:
        off = {(f[0], f[1]): f for f in backtest.figures(connection, "demo", AS_OF, card, doubled)}
    assert off["actual_to_expected", "all"][-1] == "red"
    assert off["backtest", "all"][-1] == "red"


def test_drift_calls_for_training_once_a_day_and_champion(
    trained: TrainingOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drift.drifted("demo", AS_OF) == {}
    monkeypatch.setattr(registry, "trained_as_of", lambda name: date(2026, 6, 1))
    with connect("modeller") as connection:
        connection.execute(
            "update scoring.model_monitoring set value = 0.4, status = 'red' where metric = 'psi'"
        )
    assert "PSI of the score 0.400" in drift.drifted("demo", AS_OF)[CARD]
    assert retraining.due("demo", AS_OF) == [CARD]
    assert list(retraining.call_for_training("demo", AS_OF)) == [CARD]
    assert retraining.call_for_training("demo", AS_OF) == {}
    monkeypatch.setattr(registry, "trained_as_of", lambda name: date(2026, 6, 28))
    assert retraining.due("demo", AS_OF) == []
    monitoring.monitor("demo", AS_OF)


def _request(**changes: object) -> Request:
    with connect("modeller") as connection:
        found = connection.execute(
            "select customer_id, grade from scoring.customer_scores where grade in ('5', '6', '7', '8')"
            " order by customer_id limit 1"
        ).fetchone()
    assert found is not None
    base = Request(
        "demo", CARD, found[0], str(int(found[1]) + 1), "late statements", "officer", "approver", AS_OF,
        date(2026, 9, 30),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"approved_by": "officer"}, "cannot approve"),
        ({"approved_by": "passer-by"}, "may not approve"),
        ({"reason": "  "}, "needs a reason"),
        ({"grade": "1"}, "notches"),
        ({"grade": "D"}, "default follows from the facts"),
        ({"expires_on": date(2027, 6, 30)}, "an override of 365 days"),
        ({"customer_id": "NOBODY"}, "has no grade"),
    ],
)
def test_overrides_are_limited(trained: TrainingOutcome, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        overrides.add(_request(**changes))


def test_an_override_holds_until_it_ends_and_is_measured(trained: TrainingOutcome) -> None:
    request = _request()
    number = overrides.add(request)
    with pytest.raises(UsageError, match="already holds"):
        overrides.add(replace(request, starts_on=date(2026, 7, 10)))
    assert [each["override_id"] for each in overrides.listed("demo", as_of=AS_OF)] == [number]
    monitoring.monitor("demo", AS_OF)
    with connect("modeller") as connection:
        share = connection.execute(
            "select value from scoring.model_monitoring where metric = 'override_share'"
        ).fetchone()
    assert share == (pytest.approx(1 / 500),)
    overrides.end(number, on=date(2026, 7, 15), actor="approver", reason="statements came")
    assert overrides.listed("demo", as_of=date(2026, 7, 15)) == []
    assert [each["ended_by"] for each in overrides.listed("demo", as_of=AS_OF)] == ["approver"]
    with pytest.raises(UsageError, match="no override"):
        overrides.end(number, on=AS_OF, actor="approver", reason="again")
    with pytest.raises(psycopg.errors.CheckViolation), connect("owner") as connection:
        connection.execute("update scoring.grade_override set approved_by = requested_by")
