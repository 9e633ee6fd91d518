"""Which characteristics enter the classic scorecard: IV, stability, correlation, sign, p-value, VIF.

Forward selection on WOE by Rao's score test; a characteristic whose coefficient loses the sign that
WOE implies (positive on ln odds good:bad), or its significance, leaves again.

WOE was fitted on the same rows, so a characteristic has spent more than one degree of freedom
before it is tested: about its bins less one where its trend is declared, about twice its bins where
optimal binning was free to choose cuts and trend (measured on pure noise). Both the IV, whose
multiple IV / (1/goods + 1/bads) is near chi-squared under chance, and the score statistic are held
against that many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models_ml.card.points_table import Characteristic
from models_ml.fit.logistic import LogisticFit, fit_logistic
from models_ml.spec import Selection


@dataclass(frozen=True)
class Selected:
    """Positions of the chosen characteristics, the fit on them, and why each other one is out."""

    positions: list[int]
    fit: LogisticFit
    dropped: dict[str, str]


def select(
    binned: Sequence[Characteristic],
    woe: np.ndarray,
    bad: np.ndarray,
    settings: Selection,
    unstable: Sequence[str] = (),
) -> Selected:
    """Choose characteristics and fit ln odds good:bad on their WOE.

    Parameters
    ----------
    woe: development rows x characteristics.
    unstable: names over the CSI limit, left out.
    """
    good = 1.0 - np.asarray(bad, dtype=float)
    dropped: dict[str, str] = {}
    candidates = []
    for position, each in enumerate(binned):
        if each.iv < settings.min_iv:
            dropped[each.name] = f"IV {each.iv:.4f} below {settings.min_iv}"
        elif _by_chance(each.iv / (1 / good.sum() + 1 / (len(good) - good.sum())), each, settings):
            dropped[each.name] = f"IV {each.iv:.4f} may be chance"
        elif each.name in unstable:
            dropped[each.name] = f"CSI over {settings.max_csi}"
        else:
            candidates.append(position)
    correlation = _correlation(woe)
    chosen: list[int] = []
    fit = fit_logistic(woe[:, []], good)
    while len(chosen) < settings.max_characteristics:
        open_ = [c for c in candidates if c not in chosen and binned[c].name not in dropped]
        close = {c: max((chosen), key=lambda s: abs(correlation[c, s]), default=None) for c in open_}
        for c, nearest in close.items():
            if nearest is not None and abs(correlation[c, nearest]) > settings.max_correlation:
                dropped[binned[c].name] = (
                    f"correlation {correlation[c, nearest]:.2f} with {binned[nearest].name}"
                )
        open_ = [c for c in open_ if binned[c].name not in dropped]
        best, statistic = _best_by_score_test(woe, good, chosen, fit, open_)
        if best is None:
            break
        if _by_chance(statistic, binned[best], settings):
            dropped[binned[best].name] = "adds no more to the others than chance"
            continue
        trial = [*chosen, best]
        fitted = _fit(woe, good, trial, fit, chosen)
        if fitted.coefficients[-1] <= 0:
            dropped[binned[best].name] = "sign against its WOE"
            continue
        chosen, fit = trial, fitted
        while (worst := _worst(chosen, fit, settings.max_p_value)) is not None:
            dropped[binned[chosen[worst[0]]].name] = worst[1]
            chosen = [c for i, c in enumerate(chosen) if i != worst[0]]
            fit = fit_logistic(woe[:, chosen], good)
    while len(chosen) > 1 and (inflated := _inflated(correlation, chosen)) is not None:
        position, factor = inflated
        if factor <= settings.max_vif:
            break
        dropped[binned[chosen[position]].name] = f"VIF {factor:.1f} over {settings.max_vif}"
        chosen = [c for i, c in enumerate(chosen) if i != position]
        fit = fit_logistic(woe[:, chosen], good)
    while len(chosen) > 1 and (worst := _worst(chosen, fit, settings.max_p_value)) is not None:
        dropped[binned[chosen[worst[0]]].name] = worst[1]
        chosen = [c for i, c in enumerate(chosen) if i != worst[0]]
        fit = fit_logistic(woe[:, chosen], good)
    for c in candidates:
        if c not in chosen:
            dropped.setdefault(binned[c].name, "adds nothing to the others")
    return Selected(chosen, fit, dropped)


def variance_inflation(columns: np.ndarray) -> np.ndarray:
    """VIF of each column: the diagonal of the inverse correlation matrix."""
    return np.diag(np.linalg.pinv(_correlation(columns)))


def _inflated(correlation: np.ndarray, chosen: Sequence[int]) -> tuple[int, float] | None:
    factors = np.diag(np.linalg.pinv(correlation[np.ix_(chosen, chosen)]))
    worst = int(np.argmax(factors))
    return worst, float(factors[worst])


def _correlation(woe: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.atleast_2d(np.corrcoef(woe, rowvar=False)), nan=0.0)


def _fit(
    woe: np.ndarray, good: np.ndarray, trial: list[int], fit: LogisticFit, chosen: list[int]
) -> LogisticFit:
    start = LogisticFit(fit.intercept, np.append(fit.coefficients, 0.0), fit.covariance, 0.0)
    return fit_logistic(woe[:, trial], good, start=start)


def degrees_spent(each: Characteristic) -> int:
    """Degrees of freedom that binning spent on a characteristic."""
    bins = sum(b.count > 0 for b in each.bins)
    return max(bins - 1, 1) if each.direction != "none" else 2 * bins


def _by_chance(statistic: float, each: Characteristic, settings: Selection) -> bool:
    from scipy.special import chdtrc

    return bool(chdtrc(degrees_spent(each), statistic) > settings.max_p_value)


def _best_by_score_test(
    woe: np.ndarray, good: np.ndarray, chosen: list[int], fit: LogisticFit, open_: list[int]
) -> tuple[int | None, float]:
    """The candidate with the largest score statistic in the direction its WOE implies."""
    if not open_:
        return None, 0.0
    probability = 1 / (1 + np.exp(-np.clip(fit.predict(woe[:, chosen]), -700, 700)))
    weight = probability * (1 - probability)
    base = np.column_stack([woe[:, chosen], np.ones(len(woe))])
    added = woe[:, open_]
    gradient = added.T @ (good - probability)
    weighted = base * weight[:, None]
    cross = weighted.T @ added
    information = np.einsum("ij,ij->j", added * weight[:, None], added)
    information -= np.einsum("ij,ij->j", cross, np.linalg.solve(weighted.T @ base, cross))
    statistic = np.where(gradient > 0, gradient**2 / np.maximum(information, 1e-12), 0.0)
    best = int(np.argmax(statistic))
    return open_[best], float(statistic[best])


def _worst(chosen: Sequence[int], fit: LogisticFit, max_p_value: float) -> tuple[int, str] | None:
    if len(chosen) < 2:
        return None
    smallest = int(np.argmin(fit.coefficients))
    if fit.coefficients[smallest] <= 0:
        return smallest, "sign against its WOE"
    p_values = fit.p_values
    largest = int(np.argmax(p_values))
    if p_values[largest] > max_p_value:
        return largest, f"p-value {p_values[largest]:.3f} over {max_p_value}"
    return None
