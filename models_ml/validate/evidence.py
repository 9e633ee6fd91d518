"""Everything a validation looks at beyond the fit itself, gathered once per version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import psycopg

from creditops.errors import DataRefusedError
from models_ml.card.points_table import PointsTable
from models_ml.data.dataset import TrainingSet
from models_ml.data.split import DEVELOPMENT, HOLD_OUT
from models_ml.fit import benchmark_models
from models_ml.fit.benchmark_models import BenchmarkModel
from models_ml.measure import fairness
from models_ml.measure.fairness import GroupFigures
from models_ml.spec import ScorecardSpec
from models_ml.validate.backtest import segment_columns
from models_ml.validate.gates import find_contrary, find_leaks
from models_ml.validate.pack_tables import SegmentFigures, bootstrap_auc, by_segment, cut_offs, gains
from models_ml.validate.version_comparison import characteristic_changes


@dataclass(frozen=True)
class Evidence:
    """``judged`` names the split that segments, groups, cut-offs and benchmarks are looked at on.

    ``changes``: what changed against version ``compared_with`` (the champion, else the newest before).
    ``seeds``: hold-out AUC by seed, this version's own first; ``clustered``: 95 % interval of the
    AUC over whole customers. ``lineage``: per source loaded: files, rows, last load.
    """

    judged: str
    leaks: dict[str, float]
    contrary: dict[str, float]
    groups: list[GroupFigures] = field(default_factory=list)
    cut_off: float = float("nan")
    segments: list[SegmentFigures] = field(default_factory=list)
    gains: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    cut_offs: list[dict[str, float]] = field(default_factory=list)
    benchmarks: list[BenchmarkModel] = field(default_factory=list)
    seeds: dict[int, float] = field(default_factory=dict)
    clustered: tuple[float, float] = (float("nan"), float("nan"))
    compared_with: str | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    lineage: list[dict[str, Any]] = field(default_factory=list)

    def metrics(self) -> dict[str, float]:
        """Metrics under the names that MLflow shows."""
        found = {f"{each.name}_{self.judged}_auc": each.auc for each in self.benchmarks}
        found |= {f"{each.name}_difference": each.difference for each in self.benchmarks}
        if self.groups:
            ratios = [each.ratio for each in self.groups if each.judged]
            found |= {"fairness_least_ratio": min(ratios)} if ratios else {}
        areas = [area for area in self.seeds.values() if np.isfinite(area)]
        if len(areas) > 1:
            found["seeds_auc_mean"] = float(np.mean(areas))
            found["seeds_auc_sd"] = float(np.std(areas, ddof=1))
        return {name: value for name, value in found.items() if np.isfinite(value)}


def gather(
    connection: psycopg.Connection, name: str, book: str, spec: ScorecardSpec, data: TrainingSet, fitted: Any,
    *, seed: int,
) -> Evidence:  # fmt: skip
    """Look at a :class:`models_ml.fit.fitting.FittedScorecard` from every side the pack shows."""
    splits, scored, table = fitted.splits, fitted.scored, fitted.table
    inside = splits == DEVELOPMENT
    judged = HOLD_OUT if (splits == HOLD_OUT).any() else DEVELOPMENT
    here = splits == judged
    score, pd_, bad = scored["score"].to_numpy(), scored["pd"].to_numpy(), data.bad
    features = list(spec.features.values())
    groups = fairness.load_groups(connection, book, spec, data.frame)
    cut_off = fairness.cut_off_score(score[inside], spec.fairness.cut_off_share)
    dimensions = {"observation_date": data.frame.loc[here, "observation_date"].astype(str).to_numpy()}
    dimensions |= _segments(connection, book, data.frame[here])
    dimensions |= {column: groups.loc[here, column].to_numpy() for column in groups.columns}
    effort = benchmark_models.FULL if spec.pack == "full" else benchmark_models.BRIEF
    models = benchmark_models.fit_benchmarks(spec, data.frame[inside], bad[inside], seed=seed, effort=effort)
    before = _before(name)
    return Evidence(
        judged=judged,
        leaks=find_leaks(
            data.frame[inside], bad[inside], features, fitted.model.candidates, spec.gates.max_univariate_auc
        ),
        contrary=find_contrary(data.frame[inside], bad[inside], features, spec.gates.max_contrary_auc),
        groups=fairness.by_group(spec, groups[here], scored[here], bad[here], cut_off),
        cut_off=cut_off,
        segments=by_segment(dimensions, score[here], pd_[here], bad[here]),
        gains={split: gains(score[splits == split], bad[splits == split]) for split in fitted.figures},
        cut_offs=cut_offs(score[here], pd_[here], bad[here]),
        benchmarks=benchmark_models.judge(models, data.frame[here], bad[here], score[here]),
        seeds={seed: fitted.figures[judged].auc} | _other_seeds(book, spec, data, seed),
        clustered=bootstrap_auc(data.frame.loc[here, "customer_id"], score[here], bad[here], seed=seed),
        compared_with=before[0] if before else None,
        changes=characteristic_changes(before[1] if before else None, table),
        lineage=_lineage(connection, book),
    )


def _before(name: str) -> tuple[str, PointsTable] | None:
    """The champion, else the newest version, if it is a points table."""
    from models_ml.store.version_store import CHAMPION
    from models_ml.store.versions import alias_version, latest_version, load_table

    version = alias_version(name, CHAMPION) or (latest_version(name) or {}).get("version")
    table = load_table(name, version) if version else None
    return None if table is None or version is None else (version, table)


def _other_seeds(book: str, spec: ScorecardSpec, data: TrainingSet, seed: int) -> dict[int, float]:
    """Hold-out AUC of the scorecard split and fitted anew: four seeds in a full pack, two in a brief one,
    there with a boosted scorecard's bags cut down.
    """
    from models_ml.fit.fitting import seed_study

    seeds = range(seed + 1, seed + (5 if spec.pack == "full" else 3))
    if spec.pack == "brief":
        light = spec.boosting.model_copy(update={"outer_bags": 1, "learning_rate": 0.06})
        spec = spec.model_copy(update={"boosting": light})
    found = {}
    for each in seeds:
        try:
            (figures,) = seed_study(book, spec, data, [each])
        except (DataRefusedError, KeyError):  # nothing passes the selection there, or nobody is held out
            found[each] = float("nan")
        else:
            found[each] = figures.auc
    return found


def _segments(connection: psycopg.Connection, book: str, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Business segments of each row: those columns of the customer that take more than one value."""
    columns = segment_columns(connection)
    if not columns:
        return {}
    rows = connection.execute(
        f"select customer_id, {', '.join(columns)} from marts.dim_customer where book = %s",  # type: ignore[arg-type]
        (book,),
    ).fetchall()
    customers = pd.DataFrame(rows, columns=["customer_id", *columns]).set_index("customer_id")
    found = {}
    for column in columns:
        values = frame["customer_id"].map(customers[column]).astype(object)
        if values.nunique() > 1:
            found[column] = values.where(values.notna(), "unknown").astype(str).to_numpy()
    return found


def _lineage(connection: psycopg.Connection, book: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        "select source, count(*), sum(rows_loaded)::bigint, sum(rows_quarantined)::bigint,"
        " max(loaded_at)::date::text from ops.load_ledger where book = %s and status = 'loaded'"
        " group by source order by source",
        (book,),
    ).fetchall()
    names = ("source", "files", "rows", "quarantined", "last_loaded")
    return [dict(zip(names, row, strict=True)) for row in rows]
