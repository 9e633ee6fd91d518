"""Population stability: PSI of the score, CSI of a characteristic (domain.md#stability)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

STABLE, ACT = 0.10, 0.25
_EMPTY = 1e-4  # share that stands for an empty class, so that the logarithm exists


def stability_index(expected: ArrayLike, actual: ArrayLike) -> float:
    """sum of (actual - expected) x ln(actual / expected) over classes.

    Parameters
    ----------
    expected, actual: counts or shares per class; each is normalised to shares. A class empty on
        both sides adds nothing; one empty on one side counts as a share of 0.0001.

    Returns NaN where either side is empty altogether.
    """
    old, new = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    if old.sum() <= 0 or new.sum() <= 0:
        return float("nan")
    old, new = old / old.sum(), new / new.sum()
    used = (old > 0) | (new > 0)
    old, new = np.maximum(old[used], _EMPTY), np.maximum(new[used], _EMPTY)
    return float(np.sum((new - old) * np.log(new / old)))


def status(index: float) -> str:
    """Traffic light of an index: below 0.10 green, to 0.25 amber, above red."""
    if not index >= STABLE:
        return "green"
    return "amber" if index <= ACT else "red"


def score_edges(scores: np.ndarray, classes: int = 10) -> tuple[float, ...]:
    """Inner edges that cut development scores into about equal classes, ascending and distinct."""
    quantiles = np.quantile(scores, np.linspace(0, 1, classes + 1)[1:-1], method="higher")
    return tuple(float(edge) for edge in np.unique(quantiles) if edge > scores.min())


def class_counts(scores: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Rows per right-open class between the edges; length ``len(edges) + 1``."""
    return np.bincount(np.searchsorted(np.array(edges), scores, side="right"), minlength=len(edges) + 1)


def index_by_chance(classes: int, rows: float, reference_rows: float, level: float = 0.01) -> float:
    """The index that one sample in a hundred (``level``) from the same population exceeds.

    Index / (1/rows + 1/reference rows) is near chi-squared with one degree less than classes (Yurdakul and
    Naranjo 2020, *Statistical properties of the population stability index*).
    """
    from scipy.special import chdtri

    degrees = max(classes - 1, 1)
    return float(chdtri(degrees, level) * (1 / max(rows, 1) + 1 / max(reference_rows, 1)))


def light_of(index: float, by_chance: float) -> str:
    """:func:`status` of an index; one that so few rows give by chance is green."""
    return "green" if index <= by_chance else status(index)
