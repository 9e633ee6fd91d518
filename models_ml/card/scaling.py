"""Scaling of log odds to points (domain.md#scaling, after Siddiqi, *Credit Risk Scorecards*).

score = offset + factor x ln(odds good:bad), factor = PDO / ln 2,
offset = base score - factor x ln(base odds). 600 at 50:1 with PDO 20 gives factor 28.8539 and
offset 487.123.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models_ml.card.points_table import Characteristic, Scaling


def scaling(base_score: float = 600, base_odds: float = 50, pdo: float = 20) -> Scaling:
    """Factor and offset for ``base_score`` at ``base_odds`` good:bad, ``pdo`` points to double them."""
    factor = pdo / math.log(2)
    return Scaling(base_score, base_odds, pdo, factor, base_score - factor * math.log(base_odds))


def to_points(
    characteristics: Sequence[Characteristic],
    intercept: float,
    scale: Scaling,
    development_indices: np.ndarray,
) -> tuple[Characteristic, ...]:
    """Characteristics with integer points per bin and the development mean of their points.

    Parameters
    ----------
    characteristics: with ``contribution`` to ln(odds good:bad) per bin.
    intercept: of the same log odds.
    development_indices: bin positions of development; shape (rows, characteristics).

    Offset and intercept are spread evenly over the characteristics, so that the sum of a row's
    points is its score: points = round(factor x (contribution + intercept / n) + offset / n).
    """
    n = len(characteristics)
    share = (scale.offset + scale.factor * intercept) / n
    scaled = []
    for column, each in enumerate(characteristics):
        points = [round(scale.factor * b.contribution + share) for b in each.bins]
        mean = float(np.mean(np.array(points)[development_indices[:, column]]))
        bins = tuple(replace(b, points=p) for b, p in zip(each.bins, points, strict=True))
        scaled.append(replace(each, bins=bins, mean_points=round(mean, 2)))
    return tuple(scaled)
