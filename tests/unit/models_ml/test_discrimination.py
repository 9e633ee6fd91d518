"""AUC, DeLong, KS and Brier against slow definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.measure.discrimination import auc, auc_difference, brier, ks, roc_curve

_samples = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.booleans()), min_size=6, max_size=60
).filter(lambda rows: 2 <= sum(row[2] for row in rows) <= len(rows) - 2)


def _columns(rows: list[tuple[int, int, bool]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second, bad = zip(*rows, strict=True)
    return np.array(first, float), np.array(second, float), np.array(bad, int)


def _components(risk: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's structural components, pair by pair."""
    bads, goods = risk[bad == 1], risk[bad == 0]
    pairs = np.array([[1.0 if b > g else 0.5 if b == g else 0.0 for g in goods] for b in bads])
    return pairs.mean(axis=1), pairs.mean(axis=0)


@given(_samples)
def test_auc_and_its_variance_match_delong_pair_by_pair(rows: list[tuple[int, int, bool]]) -> None:
    risk, _, bad = _columns(rows)
    of_bads, of_goods = _components(risk, bad)
    found = auc(risk, bad)
    variance = of_bads.var(ddof=1) / len(of_bads) + of_goods.var(ddof=1) / len(of_goods)
    assert found.value == pytest.approx(of_bads.mean())
    assert found.variance == pytest.approx(variance, abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.gini == pytest.approx(2 * found.value - 1)


@given(_samples)
def test_difference_uses_the_covariance_of_both_scores(rows: list[tuple[int, int, bool]]) -> None:
    first, second, bad = _columns(rows)
    a, b = _components(first, bad), _components(second, bad)
    expected = 0.0
    for x, y in zip(a, b, strict=True):
        covariance = np.cov(x, y, ddof=1)
        expected += (covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]) / len(x)
    found = auc_difference(first, second, bad)
    assert found.value == pytest.approx(a[0].mean() - b[0].mean())
    assert found.standard_error**2 == pytest.approx(expected, abs=1e-12)
    assert 0 <= found.p_value <= 1


@given(_samples)
def test_ks_is_the_largest_gap_at_any_threshold(rows: list[tuple[int, int, bool]]) -> None:
    risk, _, bad = _columns(rows)
    gaps = [abs((risk[bad == 1] <= t).mean() - (risk[bad == 0] <= t).mean()) for t in np.unique(risk)]
    assert ks(risk, bad) == pytest.approx(max(gaps))


@given(_samples)
def test_area_under_the_roc_curve_is_the_auc(rows: list[tuple[int, int, bool]]) -> None:
    risk, _, bad = _columns(rows)
    goods, bads = roc_curve(risk, bad)
    assert np.trapezoid(bads, goods) == pytest.approx(auc(risk, bad).value)


def test_a_score_compared_with_itself_differs_by_nothing() -> None:
    risk, bad = np.arange(10.0), np.array([0, 1] * 5)
    assert auc_difference(risk, risk, bad).p_value == 1.0


def test_a_difference_without_variance_is_certain() -> None:
    bad = np.array([1, 1, 1, 0, 0, 0])
    found = auc_difference(bad.astype(float), np.zeros(6), bad)
    assert (found.value, found.p_value) == (0.5, 0.0)


def test_one_class_alone_has_no_auc() -> None:
    assert np.isnan(auc(np.arange(4.0), np.zeros(4)).value)


def test_brier_is_the_mean_squared_error() -> None:
    assert brier(np.array([0.2, 0.8]), np.array([0, 1])) == pytest.approx(0.04)
