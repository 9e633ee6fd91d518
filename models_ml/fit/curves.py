"""From the curves of an additive model to bins: the cut that keeps most of each curve.

A curve gives every development row what one feature adds to its log odds of being bad. Cutting it
into few bins is a weighted least-squares segmentation, solved exactly by dynamic programming.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd

from models_ml.card.evaluate import bin_index
from models_ml.card.points_table import Characteristic
from models_ml.fit.binning import characteristic, frequent_categories, readable_boundaries
from models_ml.spec import Feature


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


def cut_curve(
    feature: Feature, values: pd.Series, curve: np.ndarray, max_bins: int, least: float
) -> Characteristic:
    """The feature in at most ``max_bins`` filled bins, without evidence.

    Parameters
    ----------
    values: development rows, float64 or text.
    curve: what the feature adds per row.
    least: least rows of a range or group; missing, special and rare values keep bins of their own
        whatever their rows, and count among ``max_bins``.
    """
    if feature.kind == "categorical":
        return _cut_categories(feature, values, curve, max_bins, least)
    numbers = values.to_numpy(dtype=float)
    plain = ~np.isnan(numbers) & ~np.isin(numbers, list(feature.special_values))
    own_bins = int(np.isnan(numbers).any()) + sum(bool((numbers == c).any()) for c in feature.special_values)
    if not plain.any():
        return characteristic(feature, [])
    order = np.argsort(numbers[plain], kind="stable")
    ordered, heights = numbers[plain][order], curve[plain][order]
    # Neighbouring values that the curve does not tell apart need no cut between them.
    starts = np.append(True, (np.diff(heights) != 0) & (np.diff(ordered) != 0))
    positions = np.flatnonzero(starts)
    counts = np.diff(np.append(positions, len(ordered)))
    levels = np.add.reduceat(heights, positions) / counts
    cuts = cut_levels(levels, counts.astype(float), max(max_bins - own_bins, 1), least)
    edges = [float(ordered[positions[cut]]) for cut in cuts]
    return characteristic(feature, readable_boundaries(numbers[plain], edges))


def bin_levels(each: Characteristic, values: pd.Series, curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the curve per bin, monotone over the ranges as declared, and the rows per bin.

    A bin without rows has level 0: neutral.
    """
    index = bin_index(each, values)
    counts = np.bincount(index, minlength=len(each.bins))
    sums = np.bincount(index, weights=curve, minlength=len(each.bins))
    levels = np.where(counts > 0, sums / np.maximum(counts, 1), 0.0)
    return _monotone(each, levels, counts), counts


def with_contributions(each: Characteristic, levels: np.ndarray) -> Characteristic:
    """The characteristic with ``levels`` as contributions to ln(odds good:bad)."""
    bins = tuple(replace(b, contribution=float(v)) for b, v in zip(each.bins, levels, strict=True))
    return replace(each, bins=bins)


def _cut_categories(
    feature: Feature, values: pd.Series, curve: np.ndarray, max_bins: int, least: float
) -> Characteristic:
    """Groups of categories that lie next to each other on the curve."""
    names = frequent_categories(values, least)
    if not names:
        return characteristic(feature, [])
    known = values.isin(names).to_numpy()
    own_bins = int(values.isna().any()) + int((~known & values.notna().to_numpy()).any())
    frame = pd.DataFrame({"name": values[known].astype(str).to_numpy(), "level": curve[known]})
    by_name = frame.groupby("name")["level"].agg(["mean", "size"]).reset_index()
    by_name = by_name.sort_values(["mean", "name"], kind="stable")
    cuts = cut_levels(
        by_name["mean"].to_numpy(), by_name["size"].to_numpy(dtype=float), max(max_bins - own_bins, 1), least
    )
    edges = [0, *cuts, len(by_name)]
    ordered = by_name["name"].tolist()
    groups = [sorted(ordered[a:b]) for a, b in itertools.pairwise(edges)]
    return characteristic(feature, groups)


def _monotone(each: Characteristic, levels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Levels (of risk) of the ranges made monotone as declared, by pooling adjacent violators."""
    if each.direction == "none":
        return levels
    sign = 1.0 if each.direction == "higher_is_riskier" else -1.0
    ranges = [i for i, b in enumerate(each.bins) if b.kind == "range"]
    pools: list[list[float]] = []
    for position in ranges:
        pools.append([sign * levels[position], max(float(counts[position]), 1e-9), 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            value, weight, size = pools.pop()
            before = pools[-1]
            before[0] = (before[0] * before[1] + value * weight) / (before[1] + weight)
            before[1] += weight
            before[2] += size
    result = levels.copy()
    result[ranges] = sign * np.concatenate([np.full(int(size), value) for value, _, size in pools])
    return result
