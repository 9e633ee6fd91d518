"""The boosted points scorecard against its marks on real sets, on one or two of the five splits.

All five, beside other methods: ``python -m benchmarks.comparison``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.comparison.__main__ import as_markdown, compare
from benchmarks.comparison.methods import METHODS, boosted
from benchmarks.comparison.sets import from_file, load
from creditops.errors import DataRefusedError
from models_ml.fit.estimator import ScorecardClassifier


@pytest.mark.parametrize(("name", "seeds", "mark"), [("german", [0], 0.780), ("polish", [0], 0.930)])
def test_a_points_table_finds_nearly_all_there_is(
    shared_data: Path, name: str, seeds: list[int], mark: float
) -> None:
    (row,) = compare(load(name, shared_data), "boosted scorecard", boosted, seeds)
    assert row["auc"] >= mark
    assert row["low"] < row["auc"] < row["high"]


def test_every_method_runs_on_a_set_with_categories_and_missing_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=600), "c": rng.choice(["a", "b"], size=600)})
    frame["bad"] = (rng.uniform(size=600) < 1 / (1 + np.exp(1 - 2 * frame["x"]))).astype(int)
    frame.loc[rng.uniform(size=600) < 0.1, "x"] = np.nan
    frame.to_csv(tmp_path / "mine.csv", index=False)
    each = from_file(tmp_path / "mine.csv", "bad")
    rows = [row for name, method in METHODS.items() for row in compare(each, name, method, [0])]
    assert len(rows) == len(METHODS)
    assert all(row["auc"] > 0.7 for row in rows)
    assert as_markdown(rows).count("| mine |") == len(METHODS)


def test_the_estimator_decides_and_refuses_one_outcome() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"X 1": rng.normal(size=400), "flag": rng.uniform(size=400) < 0.5}, index=range(7, 407)
    )
    bad = (rng.uniform(size=400) < np.where(frame["X 1"] > 0, 0.4, 0.1)).astype(int)
    card = ScorecardClassifier("woe_logistic", directions={"X 1": "higher_is_riskier"}).fit(frame, bad)
    decided = card.decide(frame)
    assert list(decided.index) == list(frame.index)
    assert card.predict_proba(frame).shape == (400, 2)
    assert card.predict_proba(frame)[:, 1] == pytest.approx(decided["pd"].to_numpy())
    with pytest.raises(DataRefusedError, match="must be 0"):
        card.fit(frame, np.ones(400))
