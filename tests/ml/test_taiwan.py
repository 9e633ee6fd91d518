"""Both families on 30,000 real card holders; the boosted one is shipped."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from creditops.warehouse import connect
from models_ml.data.dataset import load_training_set
from models_ml.fit.fitting import seed_study
from models_ml.lifecycle import registry
from models_ml.run import scoring
from models_ml.run.training import train
from models_ml.spec import scorecard
from models_ml.validate.gates import wrong_signs
from tests.ml.feature_tables import labels, taiwan, write_table

BOOK, NAME, AS_OF = "taiwan_cards", "taiwan_behaviour", date(2005, 9, 30)


@pytest.fixture(scope="module")
def card_holders(module_warehouse: str, shared_data: Path) -> None:
    behaviour, bad = taiwan(shared_data)
    keys = behaviour[["book", "customer_id", "observation_date"]]
    write_table("feat_retail_behaviour", behaviour)
    write_table("label_default", labels(keys, bad, source="outcomes", months=1))


def test_the_shipped_scorecard_reaches_0_773_and_scores_everyone(
    card_holders: None, mlflow_store: Path
) -> None:
    outcome = train(BOOK, NAME, AS_OF)
    assert outcome.metrics["hold_out_auc"] >= 0.773
    assert outcome.metrics["hold_out_auc_low"] >= 0.75
    assert outcome.metrics["hold_out_rows"] == 9000
    assert outcome.gates_passed, [gate for gate in outcome.gates if not gate.passed]
    parity = next(gate for gate in outcome.gates if gate.name == "parity")
    assert "0 of 30000 rows" in parity.message
    assert registry.promote(outcome.name, outcome.model_version).promoted
    assert scoring.score(BOOK, AS_OF) == 30_000
    table = registry.load_table(outcome.name, outcome.model_version)
    assert table is not None
    assert table.algorithm == "boosted_additive"
    assert len(table.characteristics) <= 20
    assert all(sum(b.count > 0 for b in each.bins) <= 10 for each in table.characteristics)
    assert wrong_signs(table) == []
    assert not set(table.features) & {"sex", "age", "education", "marriage"}
    with connect("modeller") as connection:
        (reasons,) = connection.execute(
            "select count(*) from scoring.customer_scores where reason_1 is not null and reason_1_zh <> ''"
        ).fetchone() or (0,)
    assert reasons > 20_000


def test_the_classic_family_reaches_0_765_on_two_seeds(card_holders: None) -> None:
    spec = scorecard(NAME).model_copy(update={"algorithm": "woe_logistic"})
    data = load_training_set(BOOK, spec, AS_OF)
    areas = [figures.auc for figures in seed_study(BOOK, spec, data, range(2))]
    assert np.mean(areas) >= 0.765
    assert min(areas) >= 0.755
