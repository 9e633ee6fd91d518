"""How near a scorecard comes to a truth that is known: rank order, calibration, and what its gates refuse.

Two books of 50,000 customers, both families of scorecard on each, judged on customers held out:

- ``drivers``: every driver of default is among the features, with noise beside them. The oracle is a
  logistic regression on the drivers in the form in which they act, so that it is the best there is.
- ``book``: the simulator's own book through ingest and warehouse. The drivers are hidden (quality, strain,
  the economy); features show them through balances, payments and bureau. The oracle sees the drivers.

Per family: Spearman's rank correlation of score and of oracle with the true PD, and their ratio; how many
grades of the master scale have both their observed default rate and their mean true PD inside the 95 %
interval (exact binomial) of the PD the scorecard gave. ``refused``: gates that stop a planted leak and a
planted flipped sign.

``CREDITOPS_BENCH_SCALE=0.1`` makes both books ten times smaller.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from creditops.settings import get_settings
from models_ml.card.points_table import Text
from models_ml.data.dataset import TrainingSet
from models_ml.data.split import DEVELOPMENT, HOLD_OUT
from models_ml.spec import CalibrationSettings, Feature, ScorecardSpec, Selection, Source, scorecard

CUSTOMERS = 50_000
BOOK, DAY, MONTHS, SEED = "demo", date(2026, 6, 30), 30, 11
FAMILIES = ("woe_logistic", "boosted_additive")


@dataclass(frozen=True)
class KnownBook:
    """A training set with the truth behind it, row by row: ``true_pd``, and ``drivers`` as they act."""

    spec: ScorecardSpec
    data: TrainingSet
    true_pd: np.ndarray
    drivers: np.ndarray


def run() -> dict[str, Any]:
    """Both books; the second needs PostgreSQL and takes minutes."""
    scale = float(os.environ.get("CREDITOPS_BENCH_SCALE", "1"))
    return {
        "customers": int(CUSTOMERS * scale),
        "drivers": figures(drivers_book(int(CUSTOMERS * scale))),
        "book": figures(simulated_book(int(CUSTOMERS * scale))),
    }


def figures(book: KnownBook) -> dict[str, Any]:
    """What each family finds, and the gates that refuse what is planted."""
    return {family: compare(book, family) for family in FAMILIES} | {"refused": refused(book)}


def compare(book: KnownBook, family: str) -> dict[str, Any]:
    """A scorecard of a family against the oracle and the truth, on held-out rows."""
    from scipy.stats import spearmanr
    from sklearn.linear_model import LogisticRegression

    from models_ml.fit.fitting import fit

    spec = book.spec.model_copy(update={"algorithm": family})
    fitted = fit("truth", spec, book.data, seed=SEED)
    inside, held = fitted.splits == DEVELOPMENT, fitted.splits == HOLD_OUT
    known = ~np.isnan(book.true_pd)
    oracle = LogisticRegression(C=1e4, max_iter=5000)
    oracle.fit(book.drivers[inside & known], book.data.bad[inside & known])
    here = held & known
    risk = oracle.predict_proba(book.drivers[here])[:, 1]
    score = float(spearmanr(-fitted.scored["score"].to_numpy()[here], book.true_pd[here])[0])
    best = float(spearmanr(risk, book.true_pd[here])[0])
    grades = by_grade(
        fitted.scored["grade"].to_numpy()[here], fitted.scored["pd"].to_numpy()[here],
        book.data.bad[here], book.true_pd[here],
    )  # fmt: skip
    return {
        "rank_correlation": round(score, 4),
        "oracle": round(best, 4),
        "ratio": round(score / best, 4),
        "auc": round(fitted.figures[HOLD_OUT].auc, 4),
        "characteristics": len(fitted.table.characteristics),
        "grades": len(grades),
        "grades_inside": sum(each["inside"] for each in grades),
        "by_grade": grades,
    }


def by_grade(
    grade: np.ndarray, pd_: np.ndarray, bad: np.ndarray, true_pd: np.ndarray
) -> list[dict[str, Any]]:
    """Observed default rate and mean true PD against the exact 95 % interval of the mean PD, per grade."""
    from scipy.stats import binom

    found = []
    for name in sorted(set(grade), key=lambda each: int(each) if each.isdigit() else 99):
        here = grade == name
        rows, expected = int(here.sum()), float(pd_[here].mean())
        low, high = (float(binom.ppf(q, rows, expected)) / rows for q in (0.025, 0.975))
        observed, true = float(bad[here].mean()), float(true_pd[here].mean())
        found.append(
            {
                "grade": name, "rows": rows, "pd": round(expected, 5), "observed": round(observed, 5),
                "true": round(true, 5), "low": round(low, 5), "high": round(high, 5),
                "inside": low <= observed <= high and low <= true <= high,
            }
        )  # fmt: skip
    return found


def refused(book: KnownBook) -> dict[str, list[str]]:
    """Names of the gates that fail with a leak planted, with a sign flipped, and as the book is."""
    from models_ml.fit.fitting import fit
    from models_ml.validate.gates import evaluate_gates, find_contrary, find_leaks
    from models_ml.validate.parity import Parity

    declared = next(
        f.name
        for f in book.spec.features.values()
        if f.direction == "higher_is_riskier" and "utilisation" in f.name
    )
    rng = np.random.default_rng(SEED)
    leak = book.data.bad + rng.normal(scale=0.05, size=len(book.data.bad))
    planted = {
        "as_it_is": book.data.frame,
        "leak": book.data.frame.assign(**{declared: leak}),
        "flipped_sign": book.data.frame.assign(**{declared: -book.data.frame[declared]}),
    }
    found: dict[str, list[str]] = {}
    for name, frame in planted.items():
        data = replace(book.data, frame=frame, indeterminate=pd.DataFrame())
        fitted = fit("truth", book.spec, data, seed=SEED)
        inside = fitted.splits == DEVELOPMENT
        features = list(book.spec.features.values())
        limits, development, bad = book.spec.gates, frame[inside], book.data.bad[inside]
        gates = evaluate_gates(
            book.spec, fitted.table, fitted.figures,
            find_leaks(development, bad, features, fitted.model.candidates, limits.max_univariate_auc),
            Parity(len(frame), 0),
            contrary=find_contrary(development, bad, features, limits.max_contrary_auc),
        )  # fmt: skip
        found[name] = [gate.name for gate in gates if not gate.passed]
    return found


def drivers_book(customers: int, seed: int = SEED) -> KnownBook:
    """Customers whose default follows from their features alone, through curves, steps and categories."""
    rng = np.random.default_rng(seed)
    utilisation = rng.beta(1.4, 2.0, customers) * 1.3
    late = rng.poisson(0.5, customers).astype(float)
    income = np.exp(rng.normal(9, 0.5, customers))
    bureau = rng.normal(640, 60, customers)
    unknown = rng.uniform(size=customers) < 0.2
    inquiries = rng.poisson(1.2, customers).astype(float)
    months = rng.integers(3, 120, customers).astype(float)
    channel = rng.choice(["branch", "online", "agency", "partner"], customers, p=[0.4, 0.35, 0.15, 0.1])
    acting = np.column_stack(
        [
            1.6 * utilisation**2, 0.7 * np.sqrt(late), -0.5 * np.log(income / 8000),
            np.where(unknown, 0.4, -0.012 * (bureau - 640)), 0.18 * np.minimum(inquiries, 5),
            -0.5 * np.sqrt(months / 60),
            np.select([channel == "agency", channel == "partner"], [0.5, 0.8], 0.0),
        ]
    )  # fmt: skip
    true_pd = 1 / (1 + np.exp(3.9 - acting.sum(axis=1)))
    bad = (rng.uniform(size=customers) < true_pd).astype(np.int8)
    frame = pd.DataFrame(
        {
            "customer_id": [f"C{n:06d}" for n in range(customers)],
            "observation_date": date(2025, 6, 30),
            "utilisation": utilisation,
            "months_late": late,
            "income": income,
            "bureau_score": np.where(unknown, np.nan, bureau),
            "inquiries": inquiries,
            "months_on_book": months,
            "channel": channel,
            **{f"noise_{n}": rng.normal(size=customers) for n in range(8)},
        }
    )
    directions = {
        "utilisation": "higher_is_riskier", "months_late": "higher_is_riskier", "income": "higher_is_safer",
        "bureau_score": "higher_is_safer", "inquiries": "higher_is_riskier",
        "months_on_book": "higher_is_safer",
    }  # fmt: skip
    features = tuple(
        Feature(
            name=name, kind="categorical" if name == "channel" else "numeric",
            direction=directions.get(name, "none"),  # type: ignore[arg-type]
            label=Text(name, name),
        )
        for name in frame.columns[2:]
    )  # fmt: skip
    spec = ScorecardSpec(
        name="truth", books=("truth",), title=Text("", ""), protected=(),
        sources=(Source(table="truth", features=features),), selection=Selection(max_characteristics=20),
    )  # fmt: skip
    data = TrainingSet(frame, bad, [date(2025, 6, 30)], {}, "")
    return KnownBook(spec, data, true_pd, acting)


def simulated_book(customers: int) -> KnownBook:
    """The retail customers of a simulated book, through ingest and warehouse on a server of their own."""
    from benchmarks.warning_recall import load_and_build
    from creditops.schema import initialise
    from creditops.services import lifecycle
    from creditops.simulate import simulate
    from models_ml.data.dataset import load_training_set

    kept = {name: os.environ.get(name) for name in ("CREDITOPS_HOME", "CREDITOPS_DATABASE_URL")}
    home = Path(tempfile.mkdtemp(prefix="creditops-bench-"))
    os.environ["CREDITOPS_HOME"] = str(home)
    os.environ.pop("CREDITOPS_DATABASE_URL", None)
    get_settings.cache_clear()
    try:
        lifecycle.up(only={"postgres"}, prepare_warehouse=initialise)
        folder = home / "simulated"
        simulate(folder, book=BOOK, customers=customers, months=MONTHS, seed=SEED, as_of=DAY)
        load_and_build(folder)
        spec = scorecard("retail_behaviour")
        spec = spec.model_copy(
            update={
                "observation": spec.observation.model_copy(update={"newest_dates": 3}),
                "split": spec.split.model_copy(update={"out_of_time_dates": 0}),
                "calibration": CalibrationSettings(),
            }
        )
        data = load_training_set(BOOK, spec, DAY)
        truth = pd.read_csv(folder / "truth" / "customer_pd.csv")
    finally:
        lifecycle.down()
        shutil.rmtree(home, ignore_errors=True)
        for name, value in kept.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        get_settings.cache_clear()
    return with_truth(spec, data, truth)


def with_truth(spec: ScorecardSpec, data: TrainingSet, truth: pd.DataFrame) -> KnownBook:
    """The training set beside its hidden truth; rows late without default count as not defaulted."""
    frame = pd.concat([data.frame, data.indeterminate], ignore_index=True)
    bad = np.append(data.bad, np.zeros(len(data.indeterminate), dtype=data.bad.dtype))
    keys = frame[["customer_id"]].assign(month_end=frame["observation_date"].astype(str))
    joined = keys.merge(truth, how="left", on=["customer_id", "month_end"])
    acting = joined[["static_and_shock", "strain", "downturn"]].fillna(0.0)
    arrears = pd.get_dummies(joined["months_past_due"].fillna(0)).astype(float)
    data = replace(data, frame=frame, bad=bad, indeterminate=pd.DataFrame())
    return KnownBook(spec, data, joined["pd_12m"].to_numpy(dtype=float), np.column_stack([acting, arrears]))
