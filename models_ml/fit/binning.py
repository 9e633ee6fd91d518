"""Optimal binning of the candidate features (optbinning), and WOE and IV by this book's definitions.

Cuts come from optbinning, monotonic where the feature's declared direction says so. Each cut is then
moved, within the gap between the neighbouring development values, to the shortest decimal, so that
a person can read the table; no development row changes its bin. Missing and special values have
bins of their own.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal

import numpy as np
import pandas as pd

from creditops.errors import DataRefusedError
from models_ml.card.evaluate import bin_index
from models_ml.card.points_table import MISSING_TEXTS, Bin, Characteristic
from models_ml.spec import Binning, Feature

_TREND = {"higher_is_riskier": "ascending", "higher_is_safer": "descending"}
_RARE_SHARE, _RARE_ROWS = 0.01, 10  # a category with less is taken together with others like it
_PRIOR_ROWS = 40.0  # rows at the population's rate added to a missing or special bin


def bin_features(
    frame: pd.DataFrame, bad: np.ndarray, features: Sequence[Feature], settings: Binning
) -> list[Characteristic]:
    """Bin every feature that can be binned, with WOE, IV and counts, without points.

    Parameters
    ----------
    frame: development rows; numeric features as float64 with NaN for null, categorical as text.
    bad: 0 or 1 per row.

    A feature that is constant, or that optimal binning leaves in one bin with nothing missing, is
    left out.
    """
    usable = [f for f in features if f.name in frame and frame[f.name].nunique(dropna=False) > 1]
    cuts = optimal_cuts(frame, bad, usable, settings)
    binned = []
    for feature in usable:
        each = with_evidence(characteristic(feature, cuts[feature.name]), frame[feature.name], bad)
        if sum(b.count > 0 for b in each.bins) > 1:
            binned.append(each)
    return binned


def optimal_cuts(
    frame: pd.DataFrame, bad: np.ndarray, features: Sequence[Feature], settings: Binning
) -> dict[str, list[float] | list[list[str]]]:
    """Numeric boundaries or groups of categories per feature, by optbinning.

    Categories under 1 % of the rows or under ten of them are in no group: they share bin ``other``, so
    that a feature of many categories (a postcode) does not learn the outcome by heart. A feature with
    nothing to part but missing and special values has no cut.
    """
    frame = _frequent(frame, features)
    uncut = [f for f in features if _ordinary_values(frame[f.name], f) < (2 if f.kind == "numeric" else 1)]
    grouped: dict[str, list[float] | list[list[str]]] = {f.name: [] for f in uncut}
    features = [f for f in features if f not in uncut]
    if not features:
        return grouped
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from optbinning import BinningProcess

        specials = {f.name: {"special_codes": list(f.special_values)} for f in features if f.special_values}
        process = BinningProcess(
            [f.name for f in features],
            categorical_variables=[f.name for f in features if f.kind == "categorical"] or None,
            max_n_prebins=settings.max_prebins,
            min_prebin_size=min(settings.min_bin, 0.05),
            min_bin_size=settings.min_bin,
            max_n_bins=settings.max_bins,
            binning_fit_params={
                f.name: {"monotonic_trend": _trend(f), "time_limit": 5, **specials.get(f.name, {})}
                for f in features
            },
        )
        process.fit(frame[[f.name for f in features]], bad)
    cuts: dict[str, list[float] | list[list[str]]] = {**grouped}
    for feature in features:
        splits = process.get_binned_variable(feature.name).splits
        if feature.kind == "categorical":
            cuts[feature.name] = [[str(value) for value in group] for group in splits]
        else:
            cuts[feature.name] = readable_boundaries(frame[feature.name].to_numpy(float), splits)
    return cuts


def characteristic(feature: Feature, cuts: Sequence[float] | Sequence[Sequence[str]]) -> Characteristic:
    """A characteristic without evidence, from boundaries (numeric) or groups (categorical)."""
    bins: list[Bin] = []
    if feature.kind == "numeric":
        edges: list[float | None] = [None, *(float(cut) for cut in cuts), None]  # type: ignore[arg-type]
        bins += [Bin("range", lower=a, upper=b) for a, b in itertools.pairwise(edges)]
        bins += [Bin("special", codes=(code,), note=note) for code, note in feature.special_values.items()]
    else:
        bins += [Bin("values", values=tuple(group)) for group in cuts]  # type: ignore[arg-type]
    bins.append(Bin("missing"))
    if feature.kind == "categorical":
        bins.append(Bin("other"))
    return Characteristic(feature.name, feature.kind, feature.label, tuple(bins), feature.direction)


def frequent_categories(values: pd.Series, least: float) -> list[str]:
    """Categories with at least ``least`` rows, by name; the others share the bin ``other``."""
    counts = values.value_counts()
    return sorted(str(name) for name, count in counts.items() if count >= least and name not in MISSING_TEXTS)


def with_evidence(each: Characteristic, values: pd.Series, bad: np.ndarray) -> Characteristic:
    """Counts, WOE and IV of development.

    WOE of a bin = ln(share of goods in it / share of bads in it); a class with no row in a bin counts
    as half a row. Missing and special bins, which may be small, are first mixed with 40 rows at the
    population's rate. A bin no row fell into has WOE 0: neutral. IV = sum over bins of
    (share of goods - share of bads) x WOE.
    """
    index = bin_index(each, values)
    counts = np.bincount(index, minlength=len(each.bins)).astype(float)
    bads = np.bincount(index, weights=bad, minlength=len(each.bins))
    total_bads, total = bads.sum(), counts.sum()
    rate = total_bads / total
    bins, iv = [], 0.0
    for position, old in enumerate(each.bins):
        events, rows = bads[position], counts[position]
        woe = 0.0
        if rows:
            if old.kind in ("missing", "special", "other"):
                events, rows = events + _PRIOR_ROWS * rate, rows + _PRIOR_ROWS
            woe = weight_of_evidence(rows - events, events, total - total_bads, total_bads)
            goods = counts[position] - bads[position]
            iv += (goods / (total - total_bads) - bads[position] / total_bads) * woe
        bins.append(replace(old, count=int(counts[position]), bads=round(bads[position]), woe=woe))
    return replace(each, bins=tuple(bins), iv=float(iv))


def weight_of_evidence(goods: float, bads: float, total_goods: float, total_bads: float) -> float:
    """ln((goods / total goods) / (bads / total bads)) (domain.md#woe); an empty class is half a row."""
    return math.log((max(goods, 0.5) / total_goods) / (max(bads, 0.5) / total_bads))


def woe_matrix(binned: Sequence[Characteristic], frame: pd.DataFrame) -> np.ndarray:
    """WOE of every row and characteristic; shape (rows, characteristics)."""
    matrix = np.empty((len(frame), len(binned)))
    for column, each in enumerate(binned):
        matrix[:, column] = np.array([b.woe for b in each.bins])[bin_index(each, frame[each.name])]
    return matrix


def readable_boundaries(values: np.ndarray, splits: Sequence[float]) -> list[float]:
    """Each split moved to the shortest decimal that parts the values the same way.

    Splits that part no values are dropped.
    """
    ordered = np.unique(values[~np.isnan(values)])
    boundaries: list[float] = []
    for split in splits:
        position = int(np.searchsorted(ordered, split, side="left"))
        if 0 < position < len(ordered):
            boundary = _shortest_between(float(ordered[position - 1]), float(ordered[position]))
            if not boundaries or boundary > boundaries[-1]:
                boundaries.append(boundary)
    return boundaries


def _shortest_between(low: float, high: float) -> float:
    """A decimal in (low, high] with as few digits as can be."""
    exact = Decimal(repr(high))
    for digits in range(-15, 18):
        try:
            rounded = exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_FLOOR)
        except ArithmeticError:
            break
        if low < float(rounded) <= high:
            return float(rounded)
    return high


def _frequent(frame: pd.DataFrame, features: Sequence[Feature]) -> pd.DataFrame:
    """The features' columns, with rare categories as missing."""
    least = max(_RARE_SHARE * len(frame), _RARE_ROWS)
    columns = {}
    for feature in features:
        values = frame[feature.name]
        if feature.kind == "categorical":
            values = values.where(values.isin(frequent_categories(values, least)))
        columns[feature.name] = values
    return pd.DataFrame(columns)


def _ordinary_values(values: pd.Series, feature: Feature) -> int:
    """How many different values a feature has that are neither missing nor special."""
    return int(values[~values.isin(list(feature.special_values))].nunique())


def _trend(feature: Feature) -> str:
    return _TREND.get(feature.direction, "auto")


def left_unbinned(
    frame: pd.DataFrame, features: Sequence[Feature], binned: Sequence[Characteristic]
) -> dict[str, str]:
    """Why each feature that is not binned is not."""
    found = {each.name for each in binned}
    return {
        f.name: (
            "is the same in every row"
            if frame[f.name].nunique(dropna=False) <= 1
            else "no cut of it parts goods from bads"
        )
        for f in features
        if f.name not in found
    }


def require_finite(frame: pd.DataFrame, features: Sequence[Feature]) -> None:
    """Refuse infinite values: no bin of a table that people read ends at them.

    Raises
    ------
    DataRefusedError: a numeric feature has one; named with its first row, from 1.
    """
    for feature in features:
        if feature.kind != "numeric":
            continue
        infinite = np.isinf(frame[feature.name].to_numpy(dtype=float))
        if infinite.any():
            raise DataRefusedError(
                f"column {feature.name}, row {int(np.argmax(infinite)) + 1}: the value is infinite"
                f" ({int(infinite.sum())} rows have such)",
                hint="make it missing, or a special value with a meaning of its own",
            )


def evidence_rows(characteristics: Sequence[Characteristic]) -> list[Mapping[str, object]]:
    """The binning and points table as flat rows, one per bin, for CSV and reports."""
    return [
        {
            "characteristic": each.name,
            "bin": b.label,
            "kind": b.kind,
            "count": b.count,
            "bads": b.bads,
            "bad_rate": b.bads / b.count if b.count else None,
            "woe": b.woe,
            "contribution": b.contribution,
            "points": b.points,
            "mean_points": each.mean_points,
            "iv": each.iv,
            "coefficient": each.coefficient,
        }
        for each in characteristics
        for b in each.bins
    ]
