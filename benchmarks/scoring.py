"""Scoring in the warehouse: one million customers, fifteen characteristics, and training.

Side by side on an embedded server with its real settings: a bare ``create table as select`` of the same
columns; the score with all points; PD, grade and reason codes besides. Against optbinning's
``Scorecard.score`` on a frame already in memory, against the round trip a user would otherwise make
(read from PostgreSQL, score with optbinning, write back) and against scorecardpy's ``scorecard_ply``
(rows per second, on 200,000 x 20). Training the classic scorecard is set against optbinning's own fit
on the same 100,000 x 60.

``CREDITOPS_BENCH_SCALE=0.01`` makes everything a hundred times smaller, for a quick try;
``CREDITOPS_BENCH_ENVIRONMENTS=1`` makes the environment that scorecardpy needs.
"""

from __future__ import annotations

import io
import os
import resource
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._scorecardpy import Unavailable, call
from creditops.settings import get_settings

ROUNDS = 3
CUSTOMERS, CHARACTERISTICS = 1_000_000, 15
TRAINING = (100_000, 60)
_PARALLEL = (
    "set jit = off",
    "set max_parallel_workers_per_gather = 2",
    "set parallel_setup_cost = 0",
    "set parallel_tuple_cost = 0",
)

_SCORECARDPY = """
import contextlib, io, sys, time
import numpy as np, pandas as pd, scorecardpy as sc
from sklearn.linear_model import LogisticRegression
rows, columns = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
frame = pd.DataFrame(rng.normal(size=(rows, columns)), columns=[f"x{i}" for i in range(columns)])
odds = frame[["x0", "x1", "x2"]].sum(axis=1) - 2
frame["bad"] = (rng.uniform(size=rows) < 1 / (1 + np.exp(-odds))).astype(int)
sample = frame.head(5000)
breaks = {name: [-1.2, -0.8, -0.4, 0, 0.4, 0.8, 1.2] for name in frame if name != "bad"}
with contextlib.redirect_stdout(io.StringIO()):
    bins = sc.woebin(sample, y="bad", breaks_list=breaks)
    woe = sc.woebin_ply(sample, bins)
    names = [name for name in woe.columns if name.endswith("_woe")]
    card = sc.scorecard(bins, LogisticRegression(max_iter=1000).fit(woe[names], woe["bad"]), names)
    started = time.perf_counter()
    sc.scorecard_ply(frame, card, only_total_score=False)
    seconds = time.perf_counter() - started
print(seconds)
"""


def run() -> dict[str, Any]:
    """Three rounds of everything in turn; medians of the seconds and of the rounds' ratios."""
    scale = float(os.environ.get("CREDITOPS_BENCH_SCALE", "1"))
    kept = {name: os.environ.get(name) for name in ("CREDITOPS_HOME", "CREDITOPS_DATABASE_URL")}
    # scorecardpy's environment stays in the data home; the server gets one of its own.
    scorecardpy, reason = _scorecardpy(scale)
    home = Path(tempfile.mkdtemp(prefix="creditops-bench-"))
    os.environ["CREDITOPS_HOME"] = str(home)
    os.environ.pop("CREDITOPS_DATABASE_URL", None)
    get_settings.cache_clear()
    from creditops.services import lifecycle

    try:
        lifecycle.up(only={"postgres"})
        rounds = _scoring_rounds(int(CUSTOMERS * scale))
    finally:
        lifecycle.down()
        shutil.rmtree(home, ignore_errors=True)
        for name, value in kept.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        get_settings.cache_clear()
    training = _training_rounds(int(TRAINING[0] * scale), TRAINING[1])
    result: dict[str, Any] = {
        "customers": int(CUSTOMERS * scale),
        "characteristics": CHARACTERISTICS,
        "seconds": {name: _median(each[name] for each in rounds) for name in rounds[0]}
        | {name: _median(each[name] for each in training) for name in training[0]},
        "ratio_to_ctas": _median(each["points"] / each["ctas"] for each in rounds),
        "ratio_full_to_ctas": _median(each["full"] / each["ctas"] for each in rounds),
        "ratio_to_optbinning": _median(each["score"] / each["optbinning"] for each in rounds),
        "speedup_over_round_trip": _median(each["round_trip"] / each["score"] for each in rounds),
        "ratio_training_to_optbinning": _median(
            each["training"] / each["optbinning_training"] for each in training
        ),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "load_average": os.getloadavg()[0],
    }
    if scorecardpy is None:
        return result | {"speedup_over_scorecardpy": None, "skipped": {"speedup_over_scorecardpy": reason}}
    per_value = _median(each["points"] for each in rounds) / (CUSTOMERS * scale * CHARACTERISTICS)
    return result | {"speedup_over_scorecardpy": round(scorecardpy / per_value, 2)}


def _scoring_rounds(rows: int) -> list[dict[str, float]]:
    from creditops.warehouse import connect
    from models_ml.card.sql import compile

    frame, bad = _frame(rows, CHARACTERISTICS)
    card, theirs = _card(frame, bad), _optbinning(frame.head(100_000), bad[:100_000])
    names = ", ".join(frame.columns)
    with connect("owner") as connection:
        connection.autocommit = True
        for setting in _PARALLEL:
            connection.execute(setting)  # type: ignore[arg-type]
        connection.execute(
            "create table customer (customer_id text, "
            + ", ".join(f"{name} double precision" for name in frame.columns)
            + ")"
        )  # type: ignore[call-overload]
        _write(connection, "customer", frame.assign(customer_id=_ids(rows))[["customer_id", *frame.columns]])
        connection.execute("vacuum analyze customer")

        def create(query: str) -> Callable[[], None]:
            def work() -> None:
                connection.execute(f"create table made as {query}")  # type: ignore[arg-type]

            return work

        def round_trip() -> None:
            buffer = io.BytesIO()
            with connection.cursor().copy("copy customer to stdout (format csv, header)") as copy:
                for chunk in copy:
                    buffer.write(chunk)
            buffer.seek(0)
            read = pd.read_csv(buffer)
            scored = read[["customer_id"]].assign(score=theirs.score(read[list(frame.columns)]))
            connection.execute("create table made (customer_id text, score double precision)")
            _write(connection, "made", scored)

        works: dict[str, Callable[[], Any]] = {
            "ctas": create(f"select customer_id, {names} from customer"),
            "score": create(compile(card, "customer", points=False, decision=False)),
            "points": create(compile(card, "customer", decision=False)),
            "full": create(compile(card, "customer", texts=False)),
            "optbinning": lambda: theirs.score(frame),
            "round_trip": round_trip,
        }
        rounds = []
        for _ in range(ROUNDS):
            seconds = {}
            for name, work in works.items():
                connection.execute("drop table if exists made")
                connection.execute("checkpoint")
                seconds[name] = _timed(work)
            rounds.append(seconds)
    return rounds


def _training_rounds(rows: int, columns: int) -> list[dict[str, float]]:
    """The classic scorecard from frame to points table, and optbinning's Scorecard fit with points."""
    from models_ml.fit.estimator import ScorecardClassifier

    frame, bad = _frame(rows, columns)
    return [
        {
            "training": _timed(lambda: ScorecardClassifier("woe_logistic").fit(frame, bad)),
            "optbinning_training": _timed(lambda: _optbinning(frame, bad)),
        }
        for _ in range(ROUNDS)
    ]


def _frame(rows: int, columns: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers with 5 % missing; the first fifteen carry the outcome, a fifth bad."""
    rng = np.random.default_rng(7)
    values = rng.normal(size=(rows, columns))
    odds = values[:, :15] @ np.linspace(0.7, 0.2, 15) - 1.8
    bad = (rng.uniform(size=rows) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    values[rng.uniform(size=values.shape) < 0.05] = np.nan
    return pd.DataFrame(values, columns=[f"x{n:02d}" for n in range(columns)]), bad


def _card(frame: pd.DataFrame, bad: np.ndarray) -> Any:
    """A points table of fifteen characteristics, whatever selection would say."""
    from models_ml.card.points_table import Text
    from models_ml.fit.binning import bin_features, woe_matrix
    from models_ml.fit.classic import AdditiveModel
    from models_ml.fit.curves import with_contributions
    from models_ml.fit.fitting import build_table
    from models_ml.fit.logistic import fit_logistic
    from models_ml.spec import Binning, Feature, ScorecardSpec, Source

    rows, outcome = frame.head(50_000), bad[:50_000]
    features = tuple(Feature(name=name, label=Text(name, name)) for name in frame.columns)
    binned = bin_features(rows, outcome, features, Binning(max_bins=10))
    fitted = fit_logistic(woe_matrix(binned, rows), 1.0 - outcome)
    terms = [
        with_contributions(each, coefficient * np.array([b.woe for b in each.bins]))
        for each, coefficient in zip(binned, fitted.coefficients, strict=True)
    ]
    spec = ScorecardSpec(
        name="bench", books=("bench",), title=Text("", ""), protected=(),
        sources=(Source(table="customer", features=features),),
    )  # fmt: skip
    model = AdditiveModel(terms, fitted.intercept, binned, {}, [])
    return build_table("bench", spec, model, rows, outcome)


def _optbinning(frame: pd.DataFrame, bad: np.ndarray) -> Any:
    from optbinning import BinningProcess, Scorecard
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        card = Scorecard(
            binning_process=BinningProcess(list(frame.columns)),
            estimator=LogisticRegression(),
            scaling_method="pdo_odds",
            scaling_method_params={"pdo": 20, "odds": 50, "scorecard_points": 600},
        )
        return card.fit(frame, bad)


def _scorecardpy(scale: float) -> tuple[float | None, str]:
    """Seconds per row and characteristic of ``scorecard_ply``, or why it was not run."""
    rows, columns = max(int(200_000 * scale), 5000), 20
    try:
        return float(call(_SCORECARDPY, str(rows), str(columns))) / (rows * columns), ""
    except Unavailable as error:
        return None, str(error)


def _write(connection: Any, table: str, frame: pd.DataFrame) -> None:
    import pyarrow as pa
    from pyarrow import csv

    buffer = io.BytesIO()
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    csv.write_csv(arrow, buffer, csv.WriteOptions(include_header=False, quoting_style="none"))
    with connection.cursor().copy(f"copy {table} from stdin (format csv)") as copy:
        copy.write(buffer.getvalue())


def _ids(rows: int) -> list[str]:
    return [f"C{n:09d}" for n in range(rows)]


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _median(values: Any) -> float:
    return round(statistics.median(values), 3)
