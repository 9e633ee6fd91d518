"""How well a score separates goods from bads (domain.md#discrimination): AUC, Gini, KS, Brier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Auc:
    """Area under the ROC curve with its DeLong 95 % interval."""

    value: float
    low: float
    high: float
    variance: float

    @property
    def gini(self) -> float:
        """Gini = 2 AUC - 1."""
        return 2 * self.value - 1


def auc(risk: np.ndarray, bad: np.ndarray) -> Auc:
    """AUC of ``risk`` (higher means riskier) for ``bad`` (0 or 1), ties counted one half.

    Variance after DeLong, DeLong and Clarke-Pearson (1988), by midranks as in Sun and Xu (2014):
    O(n log n). The interval is value +- 1.96 standard errors within [0, 1]; NaN where one class is
    absent, and for the interval also where a class has a single row.
    """
    placements = _placements(risk, bad)
    if placements is None:
        return Auc(np.nan, np.nan, np.nan, np.nan)
    of_bads, of_goods = placements
    value = float(of_bads.mean())
    if len(of_bads) < 2 or len(of_goods) < 2:
        return Auc(value, np.nan, np.nan, np.nan)
    variance = float(of_bads.var(ddof=1) / len(of_bads) + of_goods.var(ddof=1) / len(of_goods))
    margin = _Z95 * variance**0.5
    return Auc(value, max(0.0, value - margin), min(1.0, value + margin), variance)


@dataclass(frozen=True)
class AucDifference:
    """AUC of one score less that of another on the same rows, with the two-sided DeLong p-value."""

    value: float
    standard_error: float
    p_value: float


def auc_difference(risk: np.ndarray, other: np.ndarray, bad: np.ndarray) -> AucDifference:
    """DeLong test of AUC(``risk``) - AUC(``other``) on the same rows."""
    from scipy.special import ndtr

    first, second = _placements(risk, bad), _placements(other, bad)
    if first is None or second is None:
        return AucDifference(np.nan, np.nan, np.nan)
    value = float(first[0].mean() - second[0].mean())
    by_class = [a - b for a, b in zip(first, second, strict=True)]
    variance = sum(float(d.var(ddof=1)) / len(d) for d in by_class)
    error = variance**0.5
    if error == 0:  # not a row says otherwise: a difference is certain
        return AucDifference(value, 0.0, 1.0 if value == 0 else 0.0)
    return AucDifference(value, error, float(2 * ndtr(-abs(value) / error)))


def ks(risk: np.ndarray, bad: np.ndarray) -> float:
    """Kolmogorov-Smirnov: largest gap between the cumulative shares of bads and goods."""
    order = np.argsort(risk, kind="stable")
    ordered, events = np.asarray(risk)[order], np.asarray(bad)[order].astype(float)
    if events.sum() in (0, len(events)):
        return float("nan")
    last = np.append(np.diff(ordered) != 0, True)
    bads = np.cumsum(events)[last] / events.sum()
    goods = np.cumsum(1 - events)[last] / (len(events) - events.sum())
    return float(np.max(np.abs(bads - goods)))


def brier(pd: np.ndarray, bad: np.ndarray) -> float:
    """Mean squared difference of PD and outcome."""
    return float(np.mean((np.asarray(pd) - np.asarray(bad)) ** 2))


def roc_curve(risk: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of goods and of bads above each threshold, from none to all."""
    order = np.argsort(-np.asarray(risk, dtype=float), kind="stable")
    ordered, events = np.asarray(risk)[order], np.asarray(bad)[order].astype(float)
    last = np.append(np.diff(ordered) != 0, True)
    bads = np.cumsum(events)[last] / max(events.sum(), 1)
    goods = np.cumsum(1 - events)[last] / max(len(events) - events.sum(), 1)
    return np.insert(goods, 0, 0.0), np.insert(bads, 0, 0.0)


def _placements(risk: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Per bad the share of goods below it, per good the share of bads above it; ties one half."""
    from scipy.stats import rankdata

    risk, bad = np.asarray(risk, dtype=float), np.asarray(bad).astype(bool)
    bads, goods = risk[bad], risk[~bad]
    if len(bads) == 0 or len(goods) == 0:
        return None
    ranks = rankdata(np.concatenate([bads, goods]))
    of_bads = (ranks[: len(bads)] - rankdata(bads)) / len(goods)
    of_goods = 1 - (ranks[len(bads) :] - rankdata(goods)) / len(bads)
    return of_bads, of_goods
