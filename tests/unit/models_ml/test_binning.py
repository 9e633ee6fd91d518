"""WOE, IV, readable cuts and monotone bins."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.card.evaluate import bin_index
from models_ml.card.points_table import Text
from models_ml.fit.binning import (
    bin_features,
    characteristic,
    readable_boundaries,
    weight_of_evidence,
    with_evidence,
)
from models_ml.spec import Binning, Feature

_TEXT = Text("特征", "feature")


def test_woe_is_the_log_of_share_of_goods_over_share_of_bads() -> None:
    assert weight_of_evidence(80, 5, 800, 100) == pytest.approx(math.log((80 / 800) / (5 / 100)))


def test_information_value_sums_share_differences_times_woe() -> None:
    values = pd.Series([0.0] * 60 + [1.0] * 40)
    bad = np.array([0] * 50 + [1] * 10 + [0] * 20 + [1] * 20)
    each = with_evidence(characteristic(Feature(name="x", label=_TEXT), [0.5]), values, bad)
    low, high = math.log((50 / 70) / (10 / 30)), math.log((20 / 70) / (20 / 30))
    assert [b.woe for b in each.bins[:2]] == pytest.approx([low, high])
    assert each.iv == pytest.approx((50 / 70 - 10 / 30) * low + (20 / 70 - 20 / 30) * high)
    assert [b.bads for b in each.bins] == [10, 20, 0]


def test_a_bin_that_development_never_filled_is_neutral() -> None:
    feature = Feature(name="x", label=_TEXT, special_values={-1.0: "no account"})
    each = with_evidence(characteristic(feature, [0.5]), pd.Series([0.0, 1.0] * 50), np.array([0, 1] * 50))
    assert [b.woe for b in each.bins if b.kind in ("special", "missing")] == [0.0, 0.0]


def test_missing_and_special_values_have_bins_of_their_own() -> None:
    feature = Feature(name="x", label=_TEXT, special_values={-1.0: "no account"})
    each = characteristic(feature, [0.5])
    kinds = [each.bins[i].kind for i in bin_index(each, pd.Series([0.2, 0.5, -1.0, np.nan, None]))]
    assert kinds == ["range", "range", "special", "missing", "missing"]


@given(
    st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=2, max_size=40, unique=True),
    st.data(),
)
def test_a_readable_cut_parts_the_values_as_the_exact_one_does(
    values: list[float], data: st.DataObject
) -> None:
    array = np.array(values)
    splits = sorted(data.draw(st.lists(st.floats(-1e6, 1e6, allow_nan=False), max_size=5)))
    cuts = readable_boundaries(array, splits)
    assert cuts == sorted(set(cuts))
    wanted = {tuple(array < split) for split in splits if 0 < (array < split).sum() < len(array)}
    assert {tuple(array < cut) for cut in cuts} == wanted


def test_a_cut_is_written_as_short_as_the_gap_allows() -> None:
    assert readable_boundaries(np.array([0.1234, 0.5678]), [0.3456]) == [0.5]
    assert readable_boundaries(np.array([1234.0, 1310.5]), [1272.25]) == [1300.0]


@pytest.mark.parametrize(("direction", "sign"), [("higher_is_riskier", 1), ("higher_is_safer", -1)])
def test_bad_rate_follows_the_declared_direction(direction: str, sign: int) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=4000)
    bad = (rng.uniform(size=4000) < 1 / (1 + np.exp(2 - sign * x + 0.8 * np.sin(4 * x)))).astype(int)
    feature = Feature(name="x", direction=direction, label=_TEXT)  # type: ignore[arg-type]
    (each,) = bin_features(pd.DataFrame({"x": x}), bad, [feature], Binning())
    woe = [b.woe for b in each.bins if b.kind == "range"]
    assert len(woe) > 2
    assert all(sign * (later - earlier) <= 0 for earlier, later in pairwise(woe))
    assert all(b.count >= 0.05 * 4000 for b in each.bins if b.kind == "range")


def test_a_feature_against_its_declared_direction_falls_out() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=3000)
    bad = (rng.uniform(size=3000) < 1 / (1 + np.exp(2 - x))).astype(int)
    feature = Feature(name="x", direction="higher_is_safer", label=_TEXT)
    assert bin_features(pd.DataFrame({"x": x}), bad, [feature], Binning()) == []


def test_categories_are_grouped_and_an_unseen_one_is_neutral() -> None:
    rng = np.random.default_rng(7)
    x = rng.choice(["a", "b", "c", "d"], size=2000)
    bad = (rng.uniform(size=2000) < np.where(np.isin(x, ["a", "b"]), 0.3, 0.05)).astype(int)
    feature = Feature(name="x", kind="categorical", label=_TEXT)
    (each,) = bin_features(pd.DataFrame({"x": x}), bad, [feature], Binning())
    assert {v for b in each.bins for v in b.values} == {"a", "b", "c", "d"}
    other = each.bins[bin_index(each, pd.Series(["zebra"]))[0]]
    assert (other.kind, other.woe) == ("other", 0.0)


def test_rare_categories_share_a_bin_instead_of_learning_the_outcome() -> None:
    rng = np.random.default_rng(6)
    bad = (rng.uniform(size=2000) < 0.2).astype(np.int8)
    towns = pd.Series([f"t{n}" for n in rng.integers(0, 500, size=2000)])
    towns[rng.uniform(size=2000) < 0.5] = "capital"
    frame = pd.DataFrame({"town": towns})
    frame["village"] = [f"v{n}" for n in range(2000)]
    features = [Feature(name=n, kind="categorical", label=Text("", "")) for n in ("town", "village")]
    binned = {each.name: each for each in bin_features(frame, bad, features, Binning())}
    assert "village" not in binned
    each = binned["town"]
    assert [b.values for b in each.bins if b.kind == "values"] == [("capital",)]
    assert each.bins[each.index_of("other")].count == int((towns != "capital").sum())
    assert each.iv < 0.02
