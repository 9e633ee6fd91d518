"""Gradient boosting beside the scorecard: what a model nobody can read would have found.

Two benchmarks are fitted on the development rows, one monotone where a direction is declared and one
free. They are benchmarks: logged with the version as MLflow pyfuncs, and registered by nobody.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models_ml.measure.discrimination import auc, auc_difference
from models_ml.spec import Feature, ScorecardSpec

MONOTONE, FREE = "gradient_boosting_monotone", "gradient_boosting_free"
_MODEL_FILE = "benchmark.joblib"
_MONOTONE = {"higher_is_riskier": 1, "higher_is_safer": -1, "none": 0}


@dataclass(frozen=True)
class BenchmarkModel:
    """A fitted benchmark. ``auc`` with interval on the judged rows; ``difference``: the scorecard's AUC
    less this one's there, with DeLong p-value.
    """

    name: str
    auc: float
    auc_low: float
    auc_high: float
    difference: float
    p_value: float
    risk: np.ndarray
    model: Mapping[str, Any]


@dataclass(frozen=True)
class Effort:
    """How hard benchmarks try: development rows used at most, and boosting rounds."""

    rows: int
    rounds: int


BRIEF, FULL = Effort(8_000, 40), Effort(200_000, 200)


def fit_benchmarks(
    spec: ScorecardSpec, development: pd.DataFrame, bad: np.ndarray, *, seed: int, effort: Effort
) -> dict[str, Mapping[str, Any]]:
    """Both benchmarks, as what :func:`predict` takes. Rows over the limit are left out at random."""
    from threadpoolctl import threadpool_limits

    if len(development) > effort.rows:
        kept = np.sort(np.random.default_rng(seed).permutation(len(development))[: effort.rows])
        development, bad = development.iloc[kept], bad[kept]
    # A column with one value, or none, says nothing, and binning for boosting fails on it.
    features = [f for f in spec.features.values() if development[f.name].nunique() > 1]
    categories = {
        f.name: sorted(development[f.name].dropna().astype(str).unique())
        for f in features
        if f.kind == "categorical"
    }
    x = _encode(development, [f.name for f in features], categories)
    models: dict[str, Mapping[str, Any]] = {}
    # One thread: on a busy machine threads that wait for one another take many times as long.
    with threadpool_limits(1):
        _fit_both(models, x, bad, features, categories, seed, effort)
    return models


def _fit_both(
    models: dict[str, Mapping[str, Any]], x: np.ndarray, bad: np.ndarray, features: Sequence[Feature],
    categories: dict[str, list[str]], seed: int, effort: Effort,
) -> None:  # fmt: skip
    from sklearn.ensemble import HistGradientBoostingClassifier

    for name in (MONOTONE, FREE):
        machine = HistGradientBoostingClassifier(
            max_iter=effort.rounds,
            learning_rate=0.08,
            max_leaf_nodes=15,
            min_samples_leaf=40,
            l2_regularization=1.0,
            monotonic_cst=[_constraint(f) if name == MONOTONE else 0 for f in features],
            early_stopping=False,
            random_state=seed,
        )
        machine.fit(x, bad)
        models[name] = {"machine": machine, "features": [f.name for f in features], "categories": categories}


def predict(model: Mapping[str, Any], frame: pd.DataFrame) -> np.ndarray:
    """Probability of default of each row."""
    x = _encode(frame, model["features"], model["categories"])
    return np.asarray(model["machine"].predict_proba(x)[:, 1])


def judge(
    models: Mapping[str, Mapping[str, Any]], frame: pd.DataFrame, bad: np.ndarray, score: np.ndarray
) -> list[BenchmarkModel]:
    """Each benchmark against the scorecard on the same rows."""
    found = []
    for name, model in models.items():
        risk = predict(model, frame)
        area, against = auc(risk, bad), auc_difference(-score.astype(float), risk, bad)
        found.append(
            BenchmarkModel(
                name, area.value, area.low, area.high, against.value, against.p_value, risk, model
            )
        )  # fmt: skip
    return found


def log(benchmarks: Sequence[BenchmarkModel], run_id: str, example: pd.DataFrame) -> None:
    """Log each benchmark as a pyfunc of its own below a run; input are the feature columns."""
    import joblib

    from models_ml.store.tracking import quiet_mlflow

    with quiet_mlflow() as mlflow, mlflow.start_run(run_id=run_id, log_system_metrics=False):
        for each in benchmarks:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / _MODEL_FILE
                joblib.dump(dict(each.model), path)
                columns = example[each.model["features"]]
                with as_file(files("models_ml.fit").joinpath("benchmark_pyfunc.py")) as script:
                    mlflow.pyfunc.log_model(
                        name=each.name,
                        python_model=str(script),
                        artifacts={"benchmark": str(path)},
                        signature=mlflow.models.infer_signature(
                            columns, pd.DataFrame({"pd": predict(each.model, columns)})
                        ),
                        pip_requirements=["numpy", "pandas", "scikit-learn", "joblib"],
                    )


def _constraint(feature: Feature) -> int:
    return _MONOTONE[feature.direction] if feature.kind == "numeric" else 0


def _encode(frame: pd.DataFrame, features: Sequence[str], categories: Mapping[str, list[str]]) -> np.ndarray:
    columns = []
    for name in features:
        if name in categories:
            codes = {value: float(code) for code, value in enumerate(categories[name])}
            columns.append(frame[name].map(codes).to_numpy(dtype=float))
        else:
            columns.append(frame[name].to_numpy(dtype=float, na_value=np.nan))
    return np.column_stack(columns)
