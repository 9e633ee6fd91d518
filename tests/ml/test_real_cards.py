"""The scorecards of the real flat sets: from delivered characteristics to champions that score everyone."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from creditops.books import end_of_day
from creditops.warehouse import connect
from creditops.warehouse.characteristics import build_characteristics
from models_ml.data.dataset import load_training_set
from models_ml.fit.fitting import fit
from models_ml.lifecycle import registry
from models_ml.run import scoring
from models_ml.run.training import train
from models_ml.spec import scorecard
from models_ml.store import tracking
from tests.ingest.real_books import load_real, select
from tests.ml.feature_tables import labels, write_table

GERMAN, POLISH = date(1994, 11, 17), date(2007, 12, 31)


@pytest.fixture(scope="module")
def books(module_warehouse: str, mlflow_store: Path, shared_data: Path) -> None:
    """Both books loaded, their characteristics and labels built."""
    for adapter, book, folder, day in (
        ("german_credit", "german_credit", "german_credit", GERMAN),
        ("polish_bankruptcy", "polish_firms", "polish_bankruptcy", POLISH),
    ):
        load_real(adapter, book, shared_data / folder)
        with connect("builder", autocommit=True) as connection:
            made = build_characteristics(connection, book, day, end_of_day(book, day))
        assert made is not None
        outcomes = pd.DataFrame(
            select(
                'select book, customer_id, observed_on, "default" from raw.outcomes where book = %s', book
            ),
            columns=["book", "customer_id", "observation_date", "bad"],
        )
        bad = outcomes.pop("bad").to_numpy(dtype=bool)
        write_table("label_default", labels(outcomes, bad, source="outcomes"))


def test_german_applications_are_trained_promoted_and_scored(books: None, tmp_path: Path) -> None:
    outcome = train("german_credit", "german_application", GERMAN, actor="modeller")
    assert outcome.gates_passed, [gate.message for gate in outcome.gates if not gate.passed]
    assert outcome.metrics["hold_out_auc"] > 0.72
    assert registry.promote(outcome.name, outcome.model_version).promoted
    assert scoring.score("german_credit", GERMAN) == 1000
    table = registry.load_table(outcome.name, outcome.model_version)
    assert table is not None
    assert len(table.characteristics) <= 20
    assert not {"age", "personal_status", "foreign_worker"} & set(table.features)
    path = tracking.client().download_artifacts(outcome.run_id, "evidence.json", str(tmp_path))
    groups = {each["attribute"] for each in json.loads(Path(path).read_text())["groups"]}
    assert groups == {"age_band", "personal_status", "foreign_worker"}


def test_the_same_snapshot_and_seed_give_the_same_boosted_table_to_the_byte(books: None) -> None:
    spec = scorecard("german_application")
    quick = spec.boosting.model_copy(update={"outer_bags": 2, "learning_rate": 0.1})
    spec = spec.model_copy(update={"boosting": quick})
    first, second = (load_training_set("german_credit", spec, GERMAN) for _ in range(2))
    assert first.snapshot_id == second.snapshot_id
    one, two = (fit("german_credit", spec, data, seed=4).table.to_json() for data in (first, second))
    assert one == two
    assert one != fit("german_credit", spec, first, seed=5).table.to_json()


def test_polish_statements_are_ready_for_their_scorecard(books: None) -> None:
    data = load_training_set("polish_firms", scorecard("polish_bankruptcy"), POLISH)
    assert (len(data.bad), int(data.bad.sum())) == (7027, 271)
    assert [name for name in data.frame if name.startswith("attr")] == [f"attr{n}" for n in range(1, 65)]
    assert data.counts == {"bad": 271, "good": 6756}


def test_a_characteristic_learnt_after_its_day_is_not_known_then(books: None) -> None:
    with connect("loader") as connection:
        connection.execute(
            "insert into raw.characteristics_german_credit"
            " select (jsonb_populate_record(c, jsonb_build_object('amount', 1, '_batch_id',"
            " c._batch_id + 1000, 'loaded_at', c.loaded_at + interval '3 days'))).*"
            " from raw.characteristics_german_credit as c where customer_id = 'GC0001'"
        )
    with connect("builder", autocommit=True) as connection:
        build_characteristics(connection, "german_credit", GERMAN, end_of_day("german_credit", POLISH))
        rows = connection.execute(
            "select amount::int from features.feat_characteristics_german_credit where customer_id = 'GC0001'"
        ).fetchall()
    assert rows == [(1169,)]
