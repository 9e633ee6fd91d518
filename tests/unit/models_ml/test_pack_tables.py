"""Tables of the validation pack against counts made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models_ml.fit.calibration import GradeCalibration, jeffreys
from models_ml.measure.discrimination import auc
from models_ml.validate.champion_comparison import Comparison, compare
from models_ml.validate.pack_tables import bootstrap_auc, by_segment, cut_offs, gains, hosmer_lemeshow, lift

SCORE = np.arange(100)
BAD = (SCORE < 10).astype(int)


def test_gains_of_a_perfect_score() -> None:
    rows = gains(SCORE, BAD)
    assert [row["rows"] for row in rows] == [10] * 10
    assert rows[0]["lift"] == pytest.approx(10)
    assert [row["cumulative_bads"] for row in rows] == [1.0] * 10
    assert rows[0]["ks"] == pytest.approx(1)
    assert lift(SCORE, BAD, 0.1) == pytest.approx(10)
    assert lift(SCORE, BAD, 1.0) == pytest.approx(1)


def test_rows_of_equal_score_stay_together() -> None:
    rows = gains(np.array([1] * 15 + [2] * 85), BAD)
    assert [(row["score_from"], row["rows"]) for row in rows] == [(1, 15), (2, 85)]
    assert sum(row["bads"] for row in rows) == BAD.sum()


def test_a_cut_off_says_what_it_turns_away() -> None:
    rows = {round(row["approval_rate"], 2): row for row in cut_offs(SCORE, 1 - SCORE / 100, BAD)}
    assert rows[0.91]["bad_rate"] == pytest.approx(1 / 91)
    assert rows[0.91]["bads_refused"] == pytest.approx(0.9)
    assert rows[0.51]["goods_refused"] == pytest.approx(39 / 90)


def test_segments_are_looked_at_one_by_one() -> None:
    rng = np.random.default_rng(0)
    place = np.where(np.arange(100) % 2 == 0, "north", "south")
    found = by_segment({"region": place}, SCORE, rng.uniform(size=100), BAD)
    assert [(each.segment, each.rows, each.bads, each.auc) for each in found] == [
        ("north", 50, 5, 1.0), ("south", 50, 5, 1.0),
    ]  # fmt: skip


def test_hosmer_lemeshow_is_small_where_pds_hold() -> None:
    good = [GradeCalibration(str(g), 1000, 10 * g, 0.01 * g, 0.01 * g, 0, 1, 1) for g in range(1, 5)]
    statistic, degrees, p_value = hosmer_lemeshow(good)
    assert (statistic, degrees) == (pytest.approx(0), 4)
    assert p_value == pytest.approx(1)
    off = [GradeCalibration("1", 1000, 100, 0.05, 0.1, 0, 1, 1)]
    assert hosmer_lemeshow(off)[0] == pytest.approx(1000 * 0.05**2 / (0.05 * 0.95))


def test_jeffreys_holds_the_rate_and_narrows() -> None:
    low, high = jeffreys(10, 100)
    wide_low, wide_high = jeffreys(10, 100, 0.99)
    assert wide_low < low < 0.1 < high < wide_high
    assert jeffreys(0, 50)[0] < 1e-4


def test_drawing_whole_customers_widens_the_interval() -> None:
    rng = np.random.default_rng(1)
    one = rng.normal(size=300)
    bad_one = (rng.uniform(size=300) < 1 / (1 + np.exp(one))).astype(int)
    score, bad = np.repeat(one, 8), np.repeat(bad_one, 8)
    low, high = bootstrap_auc(pd.Series(np.repeat(np.arange(300), 8)), score, bad, seed=0)
    area = auc(-score, bad)
    assert low < area.value < high
    assert high - low > 1.5 * (area.high - area.low)


def _compared(noise: float, other_noise: float, scale: float = 1.0) -> Comparison:
    rng = np.random.default_rng(7)
    risk = rng.normal(size=6000)
    bad = (rng.uniform(size=6000) < 1 / (1 + np.exp(2 - 1.5 * risk))).astype(int)
    ours, theirs = (risk + level * rng.normal(size=6000) for level in (noise, other_noise))
    pds, others = (1 / (1 + np.exp(2 - 1.5 * each)) for each in (ours, theirs))
    other = pd.DataFrame({"risk": theirs, "pd": np.clip(others * scale, 0, 1)})
    return compare(pd.Series(-1000 * ours), pd.Series(pds), other, bad, version="3")


def test_only_what_chance_does_not_explain_is_better() -> None:
    assert _compared(0.0, 1.0).verdict(0.005)[0]
    worse, why = _compared(1.0, 0.0).verdict(0.005)
    assert not worse
    assert why.startswith("worse than champion version 3: AUC ")
    same, why = _compared(0.3, 0.3).verdict(0.01)
    assert not same
    assert "DeLong p" in why


def test_equal_ranking_with_better_pds_is_better() -> None:
    better, why = _compared(0.0, 0.001, scale=3.0).verdict(0.005)
    assert better
    assert why.startswith("calibrated better")


def test_a_comparison_survives_its_tag() -> None:
    found = _compared(0.0, 1.0)
    assert Comparison.from_json(found.to_json()) == found
    assert Comparison.from_json(None) is None
