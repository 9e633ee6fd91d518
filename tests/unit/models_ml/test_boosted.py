"""The boosted additive scorecard: exact cuts, declared directions, few bins."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.card.points_table import Text
from models_ml.fit.boosted import fit_boosted
from models_ml.fit.curves import cut_levels
from models_ml.spec import Binning, Boosting, Feature, ScorecardSpec, Selection, Source


def _loss(levels: np.ndarray, weights: np.ndarray, cuts: tuple[int, ...]) -> float:
    total = 0.0
    for start, end in pairwise([0, *cuts, len(levels)]):
        part, mass = levels[start:end], weights[start:end]
        total += float(np.sum(mass * (part - np.average(part, weights=mass)) ** 2))
    return total


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.integers(1, 9)), min_size=2, max_size=8),
    st.integers(1, 4),
    st.integers(1, 8),
)
def test_the_cut_loses_least_of_all_cuts(rows: list[tuple[float, int]], parts: int, least: int) -> None:
    levels, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    allowed = [
        cuts
        for count in range(parts)
        for cuts in combinations(range(1, len(levels)), count)
        if all(weights[a:b].sum() >= least for a, b in pairwise([0, *cuts, len(levels)]))
    ]
    found = tuple(cut_levels(levels, weights, parts, least))
    if not allowed:
        assert found == ()
        return
    assert found in allowed
    assert _loss(levels, weights, found) == pytest.approx(
        min(_loss(levels, weights, cuts) for cuts in allowed), abs=1e-9
    )


def test_curves_become_few_bins_that_follow_their_direction() -> None:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(rng.normal(size=(4000, 4)), columns=["up", "down", "valley", "noise"])
    frame.loc[rng.uniform(size=4000) < 0.1, "up"] = np.nan
    frame["region"] = rng.choice(["a", "b", "c"], size=4000)
    odds = -2 + frame["up"].fillna(0) - frame["down"] + frame["valley"] ** 2 + (frame["region"] == "c")
    bad = (rng.uniform(size=4000) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    text = Text("", "")
    features = (
        Feature(name="up", direction="higher_is_riskier", label=text),
        Feature(name="down", direction="higher_is_safer", label=text),
        Feature(name="valley", label=text),
        Feature(name="noise", label=text),
        Feature(name="region", kind="categorical", label=text),
    )
    spec = ScorecardSpec(
        name="trial", books=("b",), title=text, algorithm="boosted_additive", protected=(),
        sources=(Source(table="features.t", features=features),),
        binning=Binning(max_bins=6), selection=Selection(max_characteristics=4),
        boosting=Boosting(outer_bags=2, max_rounds=400),
    )  # fmt: skip
    model = fit_boosted(frame, bad, spec, seed=0)
    by_name = {each.name: each for each in model.characteristics}
    assert set(by_name) == {"up", "down", "valley", "region"}
    assert "noise" in model.dropped
    for name, sign in (("up", -1), ("down", 1)):
        levels = [b.contribution for b in by_name[name].bins if b.kind == "range"]
        assert len(levels) > 2
        assert all(sign * (later - earlier) >= 0 for earlier, later in pairwise(levels))
    assert sum(b.count > 0 for b in by_name["up"].bins) <= 6
    middle = by_name["valley"].bins
    ranges = [b.contribution for b in middle if b.kind == "range"]
    assert max(ranges) not in (ranges[0], ranges[-1])
    again = fit_boosted(frame, bad, spec, seed=0)
    assert again.characteristics == model.characteristics


def test_categories_specials_missing_constants_and_outliers_keep_within_the_bins() -> None:
    rng = np.random.default_rng(4)
    rows = 1500
    frame = pd.DataFrame({"x": rng.normal(size=rows)})
    frame.loc[rng.uniform(size=rows) < 0.1, "x"] = np.nan
    frame.loc[rng.uniform(size=rows) < 0.1, "x"] = -99.0
    frame["x"] = frame["x"].where(rng.uniform(size=rows) > 0.002, 1e18)
    frame.loc[:2, "x"] = [np.inf, -np.inf, 1e300]
    frame["town"] = [f"t{n}" for n in rng.integers(0, 400, size=rows)]  # under ten rows each
    frame["grade"] = pd.Series(rng.choice([*"abcdefghijklmnop", None], size=rows), dtype=object)
    frame["same"], frame["void"] = 1.0, np.nan
    odds = -1.5 + np.clip(frame["x"].fillna(0), -3, 3) + 2.0 * (frame["x"] == -99)
    odds += 1.5 * frame["grade"].isin(list("aceg")) + frame["grade"].isna()
    bad = (rng.uniform(size=rows) < 1 / (1 + np.exp(-odds.clip(-5, 5)))).astype(np.int8)
    text = Text("", "")
    features = (
        Feature(name="x", direction="higher_is_riskier", special_values={-99.0: "unknown"}, label=text),
        Feature(name="town", kind="categorical", label=text),
        Feature(name="grade", kind="categorical", label=text),
        Feature(name="same", label=text),
        Feature(name="void", label=text),
    )
    spec = ScorecardSpec(
        name="trial", books=("b",), title=text, algorithm="boosted_additive", protected=(),
        sources=(Source(table="features.t", features=features),),
        binning=Binning(max_bins=5), boosting=Boosting(outer_bags=2, max_rounds=400),
    )  # fmt: skip
    model = fit_boosted(frame, bad, spec, seed=0)
    by_name = {each.name: each for each in model.characteristics}
    assert {"x", "grade"} <= set(by_name) <= {"x", "grade", "town"}
    assert all(sum(b.count > 0 for b in each.bins) <= 5 for each in model.characteristics)
    assert all(sum(b.count for b in each.bins) == rows for each in model.characteristics)
    special = next(b for b in by_name["x"].bins if b.kind == "special")
    ranges = [b.contribution for b in by_name["x"].bins if b.kind == "range"]
    assert special.contribution < max(ranges)
    assert all(later <= earlier for earlier, later in pairwise(ranges))
    risky = {v for b in by_name["grade"].bins if b.kind == "values" and b.contribution < 0 for v in b.values}
    assert set("aceg") <= risky
