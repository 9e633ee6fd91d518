"""Selection of characteristics: signal in, noise, copies and wrong signs out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models_ml.card.points_table import Text
from models_ml.fit.binning import bin_features, woe_matrix
from models_ml.fit.logistic import fit_logistic
from models_ml.fit.selection import Selected, select, variance_inflation
from models_ml.spec import Binning, Feature, Selection

_ROWS = 6000


def _frame() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(11)
    frame = pd.DataFrame(rng.normal(size=(_ROWS, 12)), columns=[f"noise_{i}" for i in range(12)])
    frame["signal"] = rng.normal(size=_ROWS)
    frame["second"] = rng.normal(size=_ROWS)
    frame["copy"] = frame["signal"] + 0.02 * rng.normal(size=_ROWS)
    odds = -2.5 + 1.1 * frame["signal"] + 0.8 * frame["second"]
    return frame, (rng.uniform(size=_ROWS) < 1 / (1 + np.exp(-odds))).astype(int)


def _selected(settings: Selection, **directions: str) -> tuple[list[str], Selected]:
    frame, bad = _frame()
    features = [
        Feature(name=name, label=Text("", ""), direction=directions.get(name, "none"))  # type: ignore[arg-type]
        for name in frame
    ]
    binned = bin_features(frame, bad, features, Binning())
    result = select(binned, woe_matrix(binned, frame), bad, settings)
    return [binned[p].name for p in result.positions], result


def test_signal_enters_noise_and_copies_stay_out() -> None:
    names, result = _selected(Selection())
    assert set(names) == {"second", "signal"} or set(names) == {"second", "copy"}
    assert (result.fit.coefficients > 0).all()
    assert any("correlation" in why for name, why in result.dropped.items() if name in ("copy", "signal"))
    assert {n for n in result.dropped if n.startswith("noise")} == {f"noise_{i}" for i in range(12)}


def test_no_more_characteristics_than_allowed() -> None:
    names, _ = _selected(Selection(max_characteristics=1))
    assert len(names) == 1


def test_an_unstable_feature_is_left_out() -> None:
    frame, bad = _frame()
    features = [Feature(name=name, label=Text("", "")) for name in ("signal", "second")]
    binned = bin_features(frame, bad, features, Binning())
    result = select(binned, woe_matrix(binned, frame), bad, Selection(), unstable=["signal"])
    assert [binned[p].name for p in result.positions] == ["second"]
    assert "CSI" in result.dropped["signal"]


def test_vif_is_one_over_one_less_r_squared() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(500, 3))
    x[:, 2] = x[:, 0] + 0.5 * rng.normal(size=500)
    design = np.column_stack([x[:, :2], np.ones(500)])
    residual = x[:, 2] - design @ np.linalg.lstsq(design, x[:, 2], rcond=None)[0]
    r_squared = 1 - residual.var() / x[:, 2].var()
    assert variance_inflation(x)[2] == pytest.approx(1 / (1 - r_squared))


def test_newton_finds_the_maximum_likelihood() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2000, 2))
    outcome = (rng.uniform(size=2000) < 1 / (1 + np.exp(-(0.5 + x @ [1.0, -2.0])))).astype(float)
    fitted = fit_logistic(x, outcome)
    probability = 1 / (1 + np.exp(-fitted.predict(x)))
    assert np.abs(np.column_stack([x, np.ones(2000)]).T @ (outcome - probability)).max() < 1e-3
    assert fitted.coefficients == pytest.approx([1.0, -2.0], abs=0.25)
    assert (fitted.p_values < 1e-10).all()
