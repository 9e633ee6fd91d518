"""Tables of the validation pack that are pure functions of scores and outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models_ml.fit.calibration import GradeCalibration
from models_ml.measure.discrimination import auc, ks


@dataclass(frozen=True)
class SegmentFigures:
    """A part of the rows: by observation date, split, or group of customers."""

    dimension: str
    segment: str
    rows: int
    bads: int
    auc: float
    auc_low: float
    auc_high: float
    ks: float
    lift_top_decile: float
    mean_pd: float

    @property
    def bad_rate(self) -> float:
        """Observed share of bads."""
        return self.bads / self.rows


def by_segment(
    dimensions: Mapping[str, np.ndarray], score: np.ndarray, pd_: np.ndarray, bad: np.ndarray
) -> list[SegmentFigures]:
    """Discrimination in each value of each dimension, in order of the values."""
    found = []
    for dimension, values in dimensions.items():
        for segment in sorted(set(values), key=str):
            here = values == segment
            area = auc(-score[here].astype(float), bad[here])
            found.append(
                SegmentFigures(
                    dimension, str(segment), int(here.sum()), int(bad[here].sum()), area.value, area.low,
                    area.high, ks(-score[here], bad[here]), lift(score[here], bad[here], 0.1),
                    float(pd_[here].mean()),
                )
            )  # fmt: skip
    return found


def lift(score: np.ndarray, bad: np.ndarray, share: float) -> float:
    """Bad rate among the worst ``share`` of rows over that of all; NaN without bads."""
    if not len(bad) or not bad.sum():
        return float("nan")
    worst = bad[np.argsort(score, kind="stable")[: max(1, round(share * len(bad)))]]
    return float(worst.mean() / bad.mean())


def gains(score: np.ndarray, bad: np.ndarray, classes: int = 10) -> list[dict[str, float]]:
    """Lift and cumulative gains, worst class first.

    Rows of equal score stay together. Keys: class, score_from, score_to, rows, bads, bad_rate, lift,
    cumulative_rows, cumulative_bads (shares), ks.
    """
    order = np.argsort(score, kind="stable")
    ordered, events = score[order], bad[order]
    total, base = max(int(events.sum()), 1), max(float(events.mean()), 1e-12)
    goods = max(len(events) - int(events.sum()), 1)
    found, start = [], 0
    for number in range(1, classes + 1):
        end = round(number * len(ordered) / classes)
        if end < len(ordered):
            end = int(np.searchsorted(ordered, ordered[max(end - 1, 0)], side="right"))
        if end <= start:
            continue
        part, so_far = events[start:end], int(events[:end].sum())
        found.append(
            {
                "class": number,
                "score_from": float(ordered[start]),
                "score_to": float(ordered[end - 1]),
                "rows": end - start,
                "bads": int(part.sum()),
                "bad_rate": float(part.mean()),
                "lift": float(part.mean() / base),
                "cumulative_rows": end / len(ordered),
                "cumulative_bads": so_far / total,
                "ks": so_far / total - (end - so_far) / goods,
            }
        )
        start = end
    return found


def cut_offs(score: np.ndarray, pd_: np.ndarray, bad: np.ndarray) -> list[dict[str, float]]:
    """What a cut-off would do: approval rate, bad rate of the approved, bads and goods turned away.

    One row per 5 % of approval from 95 % to 50 % that differs. ``pd`` is that of the worst approved.
    """
    found: list[dict[str, float]] = []
    for approved_share in np.arange(0.95, 0.49, -0.05):
        cut = float(np.quantile(score, 1 - approved_share, method="lower"))
        if found and found[-1]["cut_off"] == cut:
            continue
        approved = score >= cut
        found.append(
            {
                "cut_off": cut,
                "pd": float(pd_[approved].max()),
                "approval_rate": float(approved.mean()),
                "bad_rate": float(bad[approved].mean()),
                "bads_refused": float(bad[~approved].sum() / max(bad.sum(), 1)),
                "goods_refused": float((1 - bad[~approved]).sum() / max((1 - bad).sum(), 1)),
            }
        )
    return found


def hosmer_lemeshow(grades: list[GradeCalibration]) -> tuple[float, int, float]:
    """Hosmer-Lemeshow over grades: statistic, degrees of freedom (grades), p-value.

    Degrees are the number of grades, as the PDs were not fitted on these rows (hold-out).
    """
    from scipy.special import chdtrc

    used = [g for g in grades if 0 < g.expected < 1]
    statistic = sum(g.rows * (g.observed - g.expected) ** 2 / (g.expected * (1 - g.expected)) for g in used)
    return float(statistic), len(used), float(chdtrc(len(used), statistic)) if used else float("nan")


def bootstrap_auc(
    customers: pd.Series, score: np.ndarray, bad: np.ndarray, *, seed: int, times: int = 100
) -> tuple[float, float]:
    """95 % interval of the AUC when whole customers are drawn again, who may have several rows."""
    codes, names = pd.factorize(customers)
    rng, areas = np.random.default_rng(seed), []
    values, places = np.unique(score, return_inverse=True)
    for _ in range(times):
        weight = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))[codes]
        bads = np.bincount(places, weights=weight * bad, minlength=len(values))
        goods = np.bincount(places, weights=weight * (1 - bad), minlength=len(values))
        above = np.cumsum(goods[::-1])[::-1] - goods
        if bads.sum() and goods.sum():
            areas.append(float(np.sum(bads * (above + goods / 2)) / (bads.sum() * goods.sum())))
    if not areas:
        return float("nan"), float("nan")
    low, high = np.quantile(areas, [0.025, 0.975])
    return float(low), float(high)


def as_rows(figures: list[Any]) -> list[dict[str, Any]]:
    """Dataclasses as plain rows."""
    return [dict(vars(each)) for each in figures]
