"""Everything a validation looks at beyond the fit itself, gathered once per version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg

from models_ml import challengers, fairness, tracking
from models_ml.challengers import Challenger
from models_ml.dataset import TrainingSet
from models_ml.fairness import GroupFigures
from models_ml.gates import find_contrary, find_leaks
from models_ml.pack_tables import SegmentFigures, bootstrap_auc, by_segment, cut_offs, gains
from models_ml.points_table import PointsTable
from models_ml.spec import ScorecardSpec
from models_ml.split import DEVELOPMENT, HOLD_OUT
from models_ml.version_comparison import characteristic_changes


@dataclass(frozen=True)
class Evidence:
    """``judged`` names the split that segments, groups, cut-offs and challengers are looked at on.

    ``changes``: what changed against version ``compared_with`` (the champion, else the newest before).
    ``seeds``: hold-out AUC by seed of the split, in a full pack; ``clustered``: 95 % interval of the
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
    challengers: list[Challenger] = field(default_factory=list)
    seeds: dict[int, float] = field(default_factory=dict)
    clustered: tuple[float, float] = (float("nan"), float("nan"))
    compared_with: str | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    lineage: list[dict[str, Any]] = field(default_factory=list)

    def metrics(self) -> dict[str, float]:
        """Metrics under the names that MLflow shows."""
        found = {f"{each.name}_{self.judged}_auc": each.auc for each in self.challengers}
        found |= {f"{each.name}_difference": each.difference for each in self.challengers}
        if self.groups:
            ratios = [each.ratio for each in self.groups if each.judged]
            found |= {"fairness_least_ratio": min(ratios)} if ratios else {}
        if self.seeds:
            found["seeds_auc_mean"] = float(np.mean(list(self.seeds.values())))
            found["seeds_auc_sd"] = float(np.std(list(self.seeds.values()), ddof=1))
        return {name: value for name, value in found.items() if np.isfinite(value)}


def gather(
    connection: psycopg.Connection, name: str, book: str, spec: ScorecardSpec, data: TrainingSet, fitted: Any,
    *, seed: int,
) -> Evidence:  # fmt: skip
    """Look at a :class:`models_ml.training.FittedScorecard` from every side the pack shows."""
    splits, scored, table = fitted.splits, fitted.scored, fitted.table
    inside = splits == DEVELOPMENT
    judged = HOLD_OUT if (splits == HOLD_OUT).any() else DEVELOPMENT
    here = splits == judged
    score, pd_, bad = scored["score"].to_numpy(), scored["pd"].to_numpy(), data.bad
    features = list(spec.features.values())
    groups = fairness.load_groups(connection, book, spec, data.frame)
    cut_off = fairness.cut_off_score(score[inside], spec.fairness.cut_off_share)
    dimensions = {"observation_date": data.frame.loc[here, "observation_date"].astype(str).to_numpy()}
    dimensions |= {column: groups.loc[here, column].to_numpy() for column in groups.columns}
    effort = challengers.FULL if spec.pack == "full" else challengers.BRIEF
    models = challengers.fit_challengers(spec, data.frame[inside], bad[inside], seed=seed, effort=effort)
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
        challengers=challengers.judge(models, data.frame[here], bad[here], score[here]),
        seeds=_seeds(book, spec, data, seed) if spec.pack == "full" else {},
        clustered=bootstrap_auc(data.frame.loc[here, "customer_id"], score[here], bad[here], seed=seed),
        compared_with=before[0] if before else None,
        changes=characteristic_changes(before[1] if before else None, table),
        lineage=_lineage(connection, book),
    )


def _before(name: str) -> tuple[str, PointsTable] | None:
    """The champion, else the newest version, if it is a points table."""
    from models_ml.versions import alias_version, latest_version

    version = alias_version(name, tracking.CHAMPION) or (latest_version(name) or {}).get("version")
    table = tracking.load_table(name, version) if version else None
    return None if table is None or version is None else (version, table)


def _seeds(book: str, spec: ScorecardSpec, data: TrainingSet, seed: int) -> dict[int, float]:
    from models_ml.training import seed_study

    seeds = range(seed, seed + 5)
    return {s: f.auc for s, f in zip(seeds, seed_study(book, spec, data, seeds), strict=True)}


def _lineage(connection: psycopg.Connection, book: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        "select source, count(*), sum(rows_loaded)::bigint, sum(rows_quarantined)::bigint,"
        " max(loaded_at)::date::text from ops.load_ledger where book = %s and status = 'loaded'"
        " group by source order by source",
        (book,),
    ).fetchall()
    names = ("source", "files", "rows", "quarantined", "last_loaded")
    return [dict(zip(names, row, strict=True)) for row in rows]
