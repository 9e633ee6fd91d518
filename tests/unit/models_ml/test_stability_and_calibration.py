"""PSI by its definition; calibration recovers the odds it was made with."""

from __future__ import annotations

import math

import numpy as np
import pytest

from creditops.errors import DataRefusedError
from models_ml.fit.calibration import calibration_by_grade, fit_calibration
from models_ml.measure.stability import (
    class_counts,
    index_by_chance,
    light_of,
    score_edges,
    stability_index,
    status,
)
from tests.unit.models_ml.tables import numeric, table


def test_psi_is_the_sum_of_share_differences_times_log_ratios() -> None:
    expected = (0.3 - 0.5) * math.log(0.3 / 0.5) + (0.7 - 0.5) * math.log(0.7 / 0.5)
    assert stability_index([50, 50], [30, 70]) == pytest.approx(expected)
    assert stability_index([50, 50, 0], [500, 500, 0]) == 0.0


def test_an_empty_class_counts_but_stays_finite() -> None:
    assert 0.25 < stability_index([50, 50], [100, 0]) < 10


@pytest.mark.parametrize(
    ("value", "light"), [(0.05, "green"), (0.10, "amber"), (0.25, "amber"), (0.26, "red")]
)
def test_traffic_light(value: float, light: str) -> None:
    assert status(value) == light


def test_score_classes_are_right_open_and_about_equal() -> None:
    scores = np.arange(1000)
    edges = score_edges(scores)
    counts = class_counts(scores, edges)
    assert len(counts) == 10
    assert counts.min() > 90
    assert class_counts(np.array([edges[0]]), edges)[1] == 1


def test_calibration_recovers_intercept_and_slope() -> None:
    rng = np.random.default_rng(1)
    score = rng.normal(600, 40, size=60_000).round()
    bad = rng.uniform(size=score.size) < 1 / (1 + np.exp(-14 + 0.028 * score))
    found = fit_calibration(score, bad)
    assert found.slope == pytest.approx(0.028, rel=0.05)
    assert found.intercept + found.slope * 600 == pytest.approx(-14 + 0.028 * 600, abs=0.05)


def test_a_long_run_rate_shifts_the_odds_and_nothing_else() -> None:
    rng = np.random.default_rng(1)
    score = rng.normal(600, 40, size=5000).round()
    bad = rng.uniform(size=score.size) < 0.1 * (score < 600) + 0.02
    plain, shifted = fit_calibration(score, bad), fit_calibration(score, bad, long_run_rate=0.02)
    rate = bad.mean()
    shift = math.log(0.98 / 0.02) - math.log((1 - rate) / rate)
    assert shifted.slope == plain.slope
    assert shifted.intercept - plain.intercept == pytest.approx(shift)


def test_a_score_that_ranks_backwards_is_refused() -> None:
    score = np.arange(200.0)
    with pytest.raises(DataRefusedError, match="does not rank"):
        fit_calibration(score, (score > 120).astype(int))


def test_the_mean_pd_of_an_honest_grade_lies_in_its_jeffreys_interval() -> None:
    card = table(numeric("x", [0.5], [0, 1]))
    bad = np.array([1] * 30 + [0] * 970)
    (grade,) = calibration_by_grade(card, np.full(1000, "5"), np.full(1000, 0.03), bad)
    assert grade.inside
    assert grade.observed == 0.03
    assert grade.binomial_p > 0.5
    (off,) = calibration_by_grade(card, np.full(1000, "5"), np.full(1000, 0.08), bad)
    assert not off.inside
    assert off.binomial_p < 0.01


def test_an_index_that_so_few_rows_give_by_chance_is_green() -> None:
    rng = np.random.default_rng(8)
    reference = rng.multinomial(5000, np.full(10, 0.1))
    few = [stability_index(reference, rng.multinomial(60, np.full(10, 0.1))) for _ in range(400)]
    bound = index_by_chance(10, 60, 5000)
    assert 0.0 < np.mean(np.array(few) > bound) < 0.06
    assert max(few) > 0.25
    assert light_of(0.3, bound) == "green"
    assert light_of(0.3, index_by_chance(10, 6000, 5000)) == "red"
