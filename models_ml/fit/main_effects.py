"""Main effects of an explainable boosting machine: one curve per feature, no interactions.

Explainable boosting machines: Lou, Caruana, Gehrke, Hooker, *Accurate intelligible models with
pairwise interactions* (2013); here without the pairs, so that the model stays a sum.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models_ml.fit.binning import frequent_categories
from models_ml.spec import Boosting, Feature

_MONOTONE = {"higher_is_riskier": 1, "higher_is_safer": -1, "none": 0}
_SPECIAL = "special value of "
_BAG_ROWS = 20_000  # few rows are bagged more often, until the bags together hold about so many


@dataclass(frozen=True)
class Curves:
    """Per feature, what it adds to the log odds of being bad: ``values`` (rows x features).

    ``importance``: mean absolute height of each curve over the rows.
    """

    values: np.ndarray
    importance: np.ndarray


def boost(
    frame: pd.DataFrame, bad: np.ndarray, features: Sequence[Feature], settings: Boosting,
    *, seed: int, rare: float, screening: bool = False,
) -> Curves:  # fmt: skip
    """Fit the machine and read its curves at the rows it was fitted on.

    Parameters
    ----------
    frame: development rows; numeric features as float64, categorical ones as text.
    rare: categories with fewer rows are taken together.
    screening: a quicker fit, good enough to rank features by importance.

    Special values are parted from their feature: they get levels of their own, and the curve over
    the rest stays monotone where that is declared.
    """
    columns, types, monotone, owner = [], [], [], []
    for number, feature in enumerate(features):
        for values, type_, direction in _columns(frame[feature.name], feature, rare):
            columns.append(values)
            types.append(type_)
            monotone.append(direction)
            owner.append(number)
    inputs = pd.DataFrame(dict(enumerate(columns)))
    inputs.columns = [str(name) for name in inputs.columns]
    machine = _fit(inputs, bad, types, monotone, settings, seed, screening)
    terms = np.asarray(machine.eval_terms(inputs))
    curves = np.zeros((len(frame), len(features)))
    for column, number in enumerate(owner):
        curves[:, number] += terms[:, column]
    curves -= curves.mean(axis=0)
    return Curves(curves, np.abs(curves).mean(axis=0))


def _columns(values: pd.Series, feature: Feature, rare: float) -> list[tuple[Any, str, int]]:
    """Input columns of a feature: values, type, monotone direction."""
    if feature.kind == "categorical":
        common = values.isin(frequent_categories(values, rare))
        named = values.astype(object).where(common, "\x00other").where(values.notna(), None)
        return [(named.to_numpy(dtype=object), "nominal", 0)]
    numbers = values.to_numpy(dtype=float).copy()
    codes = [code for code in feature.special_values if (numbers == code).any()]
    if not codes:
        return [(_finite(numbers), "continuous", _MONOTONE[feature.direction])]
    names = np.full(len(numbers), "plain", dtype=object)
    for code in codes:
        names[numbers == code] = f"{_SPECIAL}{code!r}"
    numbers[np.isin(numbers, codes)] = np.nan
    return [(_finite(numbers), "continuous", _MONOTONE[feature.direction]), (names, "nominal", 0)]


def _finite(numbers: np.ndarray) -> np.ndarray:
    """Infinite values at the ends of what a machine takes."""
    return np.clip(numbers, -1e300, 1e300)


def _fit(
    inputs: pd.DataFrame, bad: np.ndarray, types: list[str], monotone: list[int], settings: Boosting,
    seed: int, screening: bool,
) -> Any:  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import joblib
        from interpret.glassbox import ExplainableBoostingClassifier

        bags = max(settings.outer_bags, min(4 * settings.outer_bags, _BAG_ROWS // len(inputs)))
        machine = ExplainableBoostingClassifier(
            interactions=0,
            outer_bags=max(bags // 2, 1) if screening else bags,
            learning_rate=settings.learning_rate * (3 if screening else 1),
            max_rounds=settings.max_rounds,
            max_bins=settings.curve_bins,
            monotone_constraints=monotone,
            feature_types=types,
            random_state=seed,
            n_jobs=os.cpu_count() or 1,
        )
        # The native code lets go of the interpreter's lock; the result is the same for any number.
        with joblib.parallel_backend("threading"):
            machine.fit(inputs, bad)
    return machine
