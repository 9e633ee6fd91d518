"""Figures of a scorecard by split: discrimination, calibration, stability, concentration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_ml.card.evaluate import bin_index
from models_ml.card.points_table import PointsTable
from models_ml.data.split import DEVELOPMENT, HOLD_OUT, OUT_OF_TIME
from models_ml.fit.calibration import GradeCalibration, calibration_by_grade
from models_ml.measure.discrimination import auc, brier, ks
from models_ml.measure.stability import class_counts, stability_index

SPLITS = (DEVELOPMENT, HOLD_OUT, OUT_OF_TIME)


@dataclass(frozen=True)
class SplitFigures:
    """One split. ``psi``: of the score against development; ``grade_hhi``: sum of squared shares.

    Discrimination is of good against bad. ``brier``, ``mean_pd`` and ``grades`` also look at indeterminate
    rows, which did not default: a PD is of default, not of being bad rather than good.
    """

    name: str
    rows: int
    bads: int
    auc: float
    auc_low: float
    auc_high: float
    gini: float
    ks: float
    brier: float
    mean_pd: float
    psi: float
    grade_hhi: float
    grades: list[GradeCalibration]

    @property
    def bad_rate(self) -> float:
        """Observed share of bads."""
        return self.bads / self.rows


def assess(
    table: PointsTable, scored: pd.DataFrame, bad: np.ndarray, splits: np.ndarray,
    indeterminate: pd.DataFrame | None = None, indeterminate_splits: np.ndarray | None = None,
) -> dict[str, SplitFigures]:  # fmt: skip
    """Figures per split that has rows of both classes or at least one row.

    Parameters
    ----------
    indeterminate: scored rows that neither defaulted nor were good, with their splits.
    """
    figures = {}
    for name in SPLITS:
        here = splits == name
        if not here.any():
            continue
        rows, events = scored[here], bad[here]
        score = rows["score"].to_numpy()
        area = auc(-score, events)
        shares = rows["grade"].value_counts(normalize=True).to_numpy()
        everyone, defaulted = rows, events
        if indeterminate is not None and indeterminate_splits is not None:
            late = indeterminate[indeterminate_splits == name]
            everyone = pd.concat([rows, late], ignore_index=True)
            defaulted = np.append(events, np.zeros(len(late), dtype=events.dtype))
        every_pd = everyone["pd"].to_numpy()
        figures[name] = SplitFigures(
            name=name,
            rows=len(rows),
            bads=int(events.sum()),
            auc=area.value,
            auc_low=area.low,
            auc_high=area.high,
            gini=area.gini,
            ks=ks(-score, events),
            brier=brier(every_pd, defaulted),
            mean_pd=float(every_pd.mean()),
            psi=stability_index(table.baseline.shares, class_counts(score, table.baseline.edges)),
            grade_hhi=float(np.sum(shares**2)),
            grades=calibration_by_grade(table, everyone["grade"].to_numpy(), every_pd, defaulted),
        )
    return figures


def characteristic_stability(
    table: PointsTable, frame: pd.DataFrame, splits: np.ndarray
) -> dict[str, dict[str, float]]:
    """CSI of each characteristic against development, per later split."""
    result: dict[str, dict[str, float]] = {}
    for name in (HOLD_OUT, OUT_OF_TIME):
        here = splits == name
        if here.any():
            result[name] = {
                each.name: stability_index(
                    [b.count for b in each.bins],
                    np.bincount(bin_index(each, frame.loc[here, each.name]), minlength=len(each.bins)),
                )
                for each in table.characteristics
            }
    return result


def flat_metrics(
    figures: dict[str, SplitFigures], stability: dict[str, dict[str, float]], table: PointsTable
) -> dict[str, float]:
    """Metrics under the names that MLflow shows: ``<split>_<figure>``, ``iv.<c>``, ``csi_<split>.<c>``."""
    metrics: dict[str, float] = {}
    for name, split in figures.items():
        for figure in ("auc", "auc_low", "auc_high", "gini", "ks", "brier", "mean_pd", "psi", "grade_hhi"):
            metrics[f"{name}_{figure}"] = getattr(split, figure)
        metrics[f"{name}_rows"] = split.rows
        metrics[f"{name}_bads"] = split.bads
        metrics[f"{name}_bad_rate"] = split.bad_rate
    metrics |= {f"iv.{each.name}": each.iv for each in table.characteristics}
    for name, by_characteristic in stability.items():
        metrics |= {f"csi_{name}.{each}": value for each, value in by_characteristic.items()}
    metrics["characteristics"] = len(table.characteristics)
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}
