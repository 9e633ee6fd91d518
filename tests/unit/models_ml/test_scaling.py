"""Scaling of log odds to points: docs/domain.md's worked figures and what rounding may cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.card.points_table import Bin, Characteristic, Text
from models_ml.card.scaling import scaling, to_points


def test_600_at_50_to_1_with_20_points_to_double_the_odds() -> None:
    scale = scaling(600, 50, 20)
    assert scale.factor == pytest.approx(28.8539, abs=5e-5)
    assert scale.offset == pytest.approx(487.123, abs=5e-4)


@given(st.floats(300, 900), st.floats(1, 200), st.floats(5, 80))
def test_base_score_is_met_at_base_odds_and_pdo_points_double_them(
    base: float, odds: float, pdo: float
) -> None:
    scale = scaling(base, odds, pdo)
    assert scale.offset + scale.factor * math.log(odds) == pytest.approx(base)
    assert scale.offset + scale.factor * math.log(2 * odds) == pytest.approx(base + pdo)


@given(
    st.lists(st.lists(st.floats(-3, 3), min_size=1, max_size=5), min_size=1, max_size=20),
    st.floats(-3, 5),
)
def test_points_sum_to_the_score_within_half_a_point_a_characteristic(
    contributions: list[list[float]], intercept: float
) -> None:
    scale = scaling()
    characteristics = [
        Characteristic(f"c{i}", "numeric", Text("", ""), tuple(Bin("range", contribution=v) for v in values))
        for i, values in enumerate(contributions)
    ]
    first = np.zeros((1, len(characteristics)), dtype=int)
    scaled = to_points(characteristics, intercept, scale, first)
    exact = scale.offset + scale.factor * (intercept + sum(values[0] for values in contributions))
    assert abs(sum(c.bins[0].points for c in scaled) - exact) <= len(characteristics) / 2 + 1e-9
    assert all(c.mean_points == c.bins[0].points for c in scaled)
