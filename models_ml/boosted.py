"""The boosted additive scorecard: main effects of an explainable boosting machine, cut into bins.

1. Boost main effects only (no interactions), monotone where a direction is declared.
2. Keep the most important characteristics and boost again on those alone.
3. Cut each curve into at most ``binning.max_bins`` bins by dynamic programming: the cut that loses
   least of the curve, weighted by rows.
4. Refit all bins together by logistic regression held to the curve by a ridge, and put declared
   directions right again by pooling adjacent violators.

The result is a points table like the classic one: a person can read it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from creditops.errors import DataRefusedError
from models_ml.binning import (
    characteristic,
    optimal_cuts,
    readable_boundaries,
    with_evidence,
)
from models_ml.classic import AdditiveModel
from models_ml.evaluate import bin_index
from models_ml.logistic import fit_logistic
from models_ml.points_table import Characteristic
from models_ml.spec import Feature, ScorecardSpec

_MONOTONE = {"higher_is_riskier": 1, "higher_is_safer": -1, "none": 0}


def fit_boosted(
    development: pd.DataFrame, bad: np.ndarray, spec: ScorecardSpec, *, seed: int
) -> AdditiveModel:
    """Fit on development rows; the same rows and seed give the same model.

    Categorical features enter in the groups of optimal binning, ordered by their bad rate.

    Raises
    ------
    DataRefusedError: no feature varies.
    """
    features = [f for f in spec.features.values() if development[f.name].nunique(dropna=False) > 1]
    if not features:
        raise DataRefusedError(f"{spec.name}: no feature varies", hint="look at the feature tables")
    groups = _categorical(development, bad, features, spec)
    numbers = _as_numbers(development, features, groups)
    machine = _boost(numbers, bad, features, spec, seed)
    importance = dict(zip((f.name for f in features), machine.term_importances(), strict=True))
    ranked = sorted(features, key=lambda f: (-importance[f.name], f.name))
    kept = [f for f in ranked if importance[f.name] > 0][: spec.selection.max_characteristics]
    numbers = numbers[[f.name for f in kept]]
    machine = _boost(numbers, bad, kept, spec, seed)
    curves = machine.eval_terms(numbers.to_numpy())
    binned = []
    for column, feature in enumerate(kept):
        each = groups.get(feature.name)
        if each is None:
            cuts = _cut_curve(
                numbers[feature.name].to_numpy(), curves[:, column], spec.binning.max_bins,
                spec.boosting.min_bin,
            )  # fmt: skip
            each = with_evidence(characteristic(feature, cuts), development[feature.name], bad)
        binned.append(each)
    characteristics, intercept = _refit(binned, development, curves, bad, spec)
    dropped = {
        f.name: f"importance {importance[f.name]:.4f}, not among the {len(kept)} most important"
        for f in features
        if f not in kept
    }
    terms: list[dict[str, object]] = [
        {
            "characteristic": each.name,
            "importance": float(importance[each.name]),
            "bins": sum(b.count > 0 for b in each.bins),
            "iv": each.iv,
        }
        for each in characteristics
    ]
    return AdditiveModel(characteristics, intercept, binned, dropped, terms)


def cut_levels(levels: np.ndarray, weights: np.ndarray, parts: int, least: float) -> list[int]:
    """Positions that cut an ordered sequence into at most ``parts`` runs with the least loss.

    Parameters
    ----------
    levels, weights: value and weight per element.
    parts: most runs.
    least: least weight of a run.

    Loss is the weighted sum of squares within runs. Exact, by dynamic programming in
    O(parts x n^2). Returns the start of each run but the first; none where no cut is allowed.
    """
    n = len(levels)
    weight = np.concatenate([[0.0], np.cumsum(weights)])
    first = np.concatenate([[0.0], np.cumsum(weights * levels)])
    second = np.concatenate([[0.0], np.cumsum(weights * levels**2)])
    mass = weight[None, :] - weight[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = second[None, :] - second[:, None] - (first[None, :] - first[:, None]) ** 2 / mass
    loss = np.where(mass >= least - 1e-9, np.maximum(loss, 0.0), np.inf)
    loss[np.tril_indices(n + 1)] = np.inf
    best, back = [loss[0]], [np.zeros(n + 1, dtype=int)]
    for _ in range(1, parts):
        total = best[-1][:, None] + loss
        back.append(np.argmin(total, axis=0))
        best.append(np.min(total, axis=0))
    ends = [float(row[n]) for row in best]
    used = int(np.argmin(ends))
    if not np.isfinite(ends[used]):
        return []
    cuts, end = [], n
    for part in range(used, 0, -1):
        end = int(back[part][end])
        cuts.append(end)
    return cuts[::-1]


def _boost(
    numbers: pd.DataFrame, bad: np.ndarray, features: Sequence[Feature], spec: ScorecardSpec, seed: int
) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from interpret.glassbox import ExplainableBoostingClassifier

        machine = ExplainableBoostingClassifier(
            interactions=0,
            outer_bags=spec.boosting.outer_bags,
            learning_rate=spec.boosting.learning_rate,
            max_rounds=spec.boosting.max_rounds,
            max_bins=spec.boosting.curve_bins,
            monotone_constraints=[_MONOTONE[f.direction] if f.kind == "numeric" else 0 for f in features],
            feature_types=["continuous"] * len(features),
            random_state=seed,
            n_jobs=1,
        )
        machine.fit(numbers.to_numpy(), bad)
    return machine


def _categorical(
    development: pd.DataFrame, bad: np.ndarray, features: Sequence[Feature], spec: ScorecardSpec
) -> dict[str, Characteristic]:
    """Categorical and special-valued features in the bins of the classic scorecard."""
    chosen = [f for f in features if f.kind == "categorical" or f.special_values]
    if not chosen:
        return {}
    cuts = optimal_cuts(development, bad, chosen, spec.binning)
    return {f.name: with_evidence(characteristic(f, cuts[f.name]), development[f.name], bad) for f in chosen}


def _as_numbers(
    development: pd.DataFrame, features: Sequence[Feature], groups: dict[str, Characteristic]
) -> pd.DataFrame:
    columns = {}
    for feature in features:
        each = groups.get(feature.name)
        if each is None:
            columns[feature.name] = development[feature.name].to_numpy(dtype=float)
        else:
            woe = np.array([b.woe for b in each.bins])
            columns[feature.name] = woe[bin_index(each, development[feature.name])]
    return pd.DataFrame(columns)


def _cut_curve(values: np.ndarray, curve: np.ndarray, parts: int, min_bin: float) -> list[float]:
    """Readable boundaries that cut a feature's curve best into ``parts`` bins, missing included."""
    known = ~np.isnan(values)
    parts -= not known.all()  # the missing bin is one of them
    order = np.argsort(values[known], kind="stable")
    ordered, heights = values[known][order], curve[known][order]
    starts = np.append(True, (np.diff(heights) != 0) & (np.diff(ordered) != 0))
    positions = np.flatnonzero(starts)
    counts = np.diff(np.append(positions, len(ordered)))
    levels = np.add.reduceat(heights, positions) / counts
    cuts = cut_levels(levels, counts.astype(float), parts, min_bin * len(values))
    return readable_boundaries(values, [float(ordered[positions[cut]]) for cut in cuts])


def _refit(
    binned: Sequence[Characteristic], development: pd.DataFrame, curves: np.ndarray, bad: np.ndarray,
    spec: ScorecardSpec,
) -> tuple[list[Characteristic], float]:  # fmt: skip
    """Contributions per bin to ln(odds good:bad), and the intercept."""
    indices = [bin_index(each, development[each.name]) for each in binned]
    levels, columns, places = [], [], []
    for number, (each, index) in enumerate(zip(binned, indices, strict=True)):
        counts = np.bincount(index, minlength=len(each.bins))
        sums = np.bincount(index, weights=-curves[:, number], minlength=len(each.bins))
        levels.append(np.where(counts > 0, sums / np.maximum(counts, 1), 0.0))
        for filled in np.flatnonzero(counts):
            columns.append(index == filled)
            places.append((number, int(filled)))
    offset = np.sum([level[index] for level, index in zip(levels, indices, strict=True)], axis=0)
    design = np.column_stack(columns).astype(float)
    fitted = fit_logistic(design, 1.0 - bad, ridge=spec.boosting.ridge, offset=offset)
    for (number, position), change in zip(places, fitted.coefficients, strict=True):
        levels[number][position] += change
    intercept = fitted.intercept
    characteristics = []
    for each, level, index in zip(binned, levels, indices, strict=True):
        straight = _monotone(each, level)
        mean = float(straight[index].mean())
        intercept += mean
        empty = np.array([b.count == 0 for b in each.bins])
        centred = np.where(empty, 0.0, straight - mean)
        bins = tuple(replace(b, contribution=float(c)) for b, c in zip(each.bins, centred, strict=True))
        characteristics.append(replace(each, bins=bins))
    return characteristics, float(intercept)


def _monotone(each: Characteristic, level: np.ndarray) -> np.ndarray:
    """Levels of the ranges made monotone as declared, by pooling adjacent violators."""
    if each.direction == "none":
        return level
    sign = -1.0 if each.direction == "higher_is_riskier" else 1.0
    ranges = [i for i, b in enumerate(each.bins) if b.kind == "range"]
    pools: list[list[float]] = []
    for position in ranges:
        pools.append([sign * level[position], max(each.bins[position].count, 1e-9), 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            value, weight, size = pools.pop()
            before = pools[-1]
            before[0] = (before[0] * before[1] + value * weight) / (before[1] + weight)
            before[1] += weight
            before[2] += size
    result = level.copy()
    result[ranges] = sign * np.concatenate([np.full(int(size), value) for value, _, size in pools])
    return result
