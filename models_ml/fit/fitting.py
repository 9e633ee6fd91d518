"""Fits a scorecard: split, model, points, calibration, declined rows; no service is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models_ml.card.evaluate import bin_index, score_frame
from models_ml.card.master_scale import master_scale
from models_ml.card.points_table import Baseline, PointsTable
from models_ml.card.scaling import scaling, to_points
from models_ml.data.dataset import TrainingSet
from models_ml.data.parcelling import Inference, parcel
from models_ml.data.split import DEVELOPMENT, HOLD_OUT, OUT_OF_TIME, place_more, split
from models_ml.fit.assessment import SplitFigures, assess
from models_ml.fit.calibration import fit_calibration
from models_ml.fit.classic import AdditiveModel, fit_classic
from models_ml.measure.stability import class_counts, score_edges
from models_ml.spec import ScorecardSpec


@dataclass(frozen=True)
class FittedScorecard:
    """A points table with what it was fitted from and how it does; nothing registered yet."""

    table: PointsTable
    model: AdditiveModel
    scored: pd.DataFrame
    splits: np.ndarray
    figures: dict[str, SplitFigures]
    inference: Inference | None = None


def fit(book: str, spec: ScorecardSpec, data: TrainingSet, *, seed: int = 0) -> FittedScorecard:
    """Split, fit, scale and calibrate, and score every row; no service is touched."""
    splits = split(data.frame, data.bad, spec.split, seed)
    inside = splits == DEVELOPMENT
    development, bad = data.frame[inside], data.bad[inside]
    later = data.frame[splits == OUT_OF_TIME]
    late = _Late.of(data, splits, spec, seed)
    spec = _with_long_run_rate(spec, data)
    model = _fit_model(development, bad, spec, later, seed)
    table = build_table(book, spec, model, development, bad, late=late.development)
    plain = _fitted(table, model, data, splits, late)
    if not len(data.declined):
        return plain
    return _with_declined(book, spec, data, plain, later, late, seed)


def _with_long_run_rate(spec: ScorecardSpec, data: TrainingSet) -> ScorecardSpec:
    """The declaration with the book's own rate in place of ``book``."""
    if spec.calibration.long_run_rate != "book":
        return spec
    settled = spec.calibration.model_copy(update={"long_run_rate": data.long_run_rate})
    return spec.model_copy(update={"calibration": settled})


@dataclass(frozen=True)
class _Late:
    """Indeterminate rows and the split that each belongs to, as its customer or date does."""

    frame: pd.DataFrame
    splits: np.ndarray

    @classmethod
    def of(cls, data: TrainingSet, splits: np.ndarray, spec: ScorecardSpec, seed: int) -> _Late:
        frame = data.indeterminate
        if not len(frame):
            return cls(data.frame.head(0), np.empty(0, dtype=object))
        names = place_more(data.frame, splits, frame, spec.split, seed)
        return cls(frame, names)

    @property
    def development(self) -> pd.DataFrame:
        return self.frame[self.splits == DEVELOPMENT]


def _fitted(
    table: PointsTable, model: AdditiveModel, data: TrainingSet, splits: np.ndarray, late: _Late,
    inference: Inference | None = None,
) -> FittedScorecard:  # fmt: skip
    scored = score_frame(table, data.frame)
    figures = assess(table, scored, data.bad, splits, score_frame(table, late.frame), late.splits)
    return FittedScorecard(table, model, scored, splits, figures, inference)


def _fit_model(
    development: pd.DataFrame, bad: np.ndarray, spec: ScorecardSpec, later: pd.DataFrame, seed: int
) -> AdditiveModel:
    if spec.algorithm == "boosted_additive":
        from models_ml.fit.boosted import fit_boosted

        return fit_boosted(development, bad, spec, seed=seed)
    return fit_classic(development, bad, spec, later if len(later) else None)


def _with_declined(
    book: str, spec: ScorecardSpec, data: TrainingSet, plain: FittedScorecard, later: pd.DataFrame,
    late: _Late, seed: int,
) -> FittedScorecard:  # fmt: skip
    """The scorecard fitted again with declined rows parcelled by the one fitted without them.

    Declined customers of the hold-out or of out-of-time dates stay out, as accepted ones do.
    """
    inside = plain.splits == DEVELOPMENT
    development, bad = data.frame[inside], data.bad[inside]
    held = set(data.frame.loc[plain.splits == HOLD_OUT, "customer_id"])
    declined = data.declined[
        ~data.declined["customer_id"].isin(held)
        & data.declined["observation_date"].isin(development["observation_date"].unique())
    ]
    if not len(declined):
        return plain
    outcome = parcel(plain.table, development, bad, declined, spec.reject_inference, seed=seed)
    both = pd.concat([development, declined], ignore_index=True)[development.columns]
    model = _fit_model(both, np.append(bad, outcome), spec, later, seed)
    known = np.append(np.ones(len(bad), dtype=bool), np.zeros(len(outcome), dtype=bool))
    table = build_table(book, spec, model, both, np.append(bad, outcome), known, late.development)
    found = _fitted(table, model, data, plain.splits, late)
    figures = found.figures
    shown = HOLD_OUT if HOLD_OUT in figures else DEVELOPMENT
    inference = Inference(
        declined=len(declined),
        bad_rate=float(outcome.mean()),
        factor=spec.reject_inference.factor,
        auc_with=figures[shown].auc,
        auc_without=plain.figures[shown].auc,
        ks_with=figures[shown].ks,
        ks_without=plain.figures[shown].ks,
        pd_declined_with=float(score_frame(table, declined)["pd"].mean()),
        pd_declined_without=float(score_frame(plain.table, declined)["pd"].mean()),
        characteristics_with=tuple(table.features),
        characteristics_without=tuple(plain.table.features),
    )
    return replace(found, inference=inference)


def build_table(
    book: str, spec: ScorecardSpec, model: AdditiveModel, development: pd.DataFrame, bad: np.ndarray,
    known: np.ndarray | None = None, late: pd.DataFrame | None = None,
) -> PointsTable:  # fmt: skip
    """Points, calibration and baseline of an additive model on its development rows.

    Parameters
    ----------
    known: rows whose outcome is known; only these calibrate the PD. All by default.
    late: indeterminate development rows; they did not default, and calibrate the PD as well.
    """
    outcome_known = np.ones(len(development), dtype=bool) if known is None else known
    scale = scaling(spec.scaling.base_score, spec.scaling.base_odds, spec.scaling.pdo)
    indices = np.column_stack([bin_index(c, development[c.name]) for c in model.characteristics])
    characteristics = to_points(model.characteristics, model.intercept, scale, indices)
    score = np.zeros(len(development), dtype=np.int64)
    for column, each in enumerate(characteristics):
        score += np.array([b.points for b in each.bins])[indices[:, column]]
    edges = score_edges(score)
    counts = class_counts(score, edges)
    calibrated, defaulted = score[outcome_known], bad[outcome_known]
    rate = spec.calibration.long_run_rate
    if late is not None and len(late):
        parts = [np.array([b.points for b in c.bins])[bin_index(c, late[c.name])] for c in characteristics]
        calibrated = np.append(calibrated, np.sum(parts, axis=0, dtype=np.int64))
        defaulted = np.append(defaulted, np.zeros(len(late), dtype=defaulted.dtype))
    return PointsTable(
        scorecard=spec.name,
        book=book,
        algorithm=spec.algorithm,
        characteristics=characteristics,
        scaling=scale,
        calibration=fit_calibration(
            calibrated,
            defaulted,
            floor=spec.calibration.floor,
            long_run_rate=None if rate == "book" else rate,
        ),
        grades=master_scale().grades,
        baseline=Baseline(edges, tuple(float(share) for share in counts / counts.sum())),
        development_rows=len(development),
    )


def seed_study(
    book: str, spec: ScorecardSpec, data: TrainingSet, seeds: Sequence[int] = range(5)
) -> list[SplitFigures]:
    """Hold-out figures of the scorecard split and fitted anew with each seed."""
    return [fit(book, spec, data, seed=seed).figures[HOLD_OUT] for seed in seeds]
