"""Declined applications get the bad rate of accepted ones of the same score, times a factor."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models_ml.card.points_table import Text
from models_ml.data.dataset import TrainingSet
from models_ml.data.parcelling import parcel
from models_ml.fit.fitting import fit
from models_ml.spec import Feature, RejectInference, ScorecardSpec, Source
from tests.unit.models_ml.tables import numeric, table

CARD = table(numeric("x", [0.0], [0, 100]))


def _accepted(rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Half score low with a bad rate of 20 %, half high with 4 %."""
    frame = pd.DataFrame({"x": np.where(np.arange(rows) < rows // 2, -1.0, 1.0)})
    bad = np.zeros(rows, dtype=np.int8)
    bad[: rows // 10] = 1
    bad[rows // 2 : rows // 2 + rows // 50] = 1
    return frame, bad


@pytest.mark.parametrize(("factor", "low", "high"), [(1.0, 60, 4), (1.5, 90, 6), (10.0, 300, 40)])
def test_each_band_gets_its_bad_rate_times_the_factor(factor: float, low: int, high: int) -> None:
    accepted, bad = _accepted(1000)
    declined = pd.DataFrame({"x": np.repeat([-1.0, 1.0], [300, 100])})
    settings = RejectInference(method="parcelling", factor=factor)
    outcome = parcel(CARD, accepted, bad, declined, settings, seed=1)
    assert (int(outcome[:300].sum()), int(outcome[300:].sum())) == (low, high)
    assert (outcome == parcel(CARD, accepted, bad, declined, settings, seed=1)).all()
    assert factor == 10 or (outcome != parcel(CARD, accepted, bad, declined, settings, seed=2)).any()


def _set(declined: pd.DataFrame, indeterminate: pd.DataFrame) -> tuple[ScorecardSpec, TrainingSet]:
    rng = np.random.default_rng(3)
    frame = _rows(rng, 3000)
    bad = (rng.uniform(size=3000) < 1 / (1 + np.exp(2.5 - 1.2 * frame["x"]))).astype(np.int8)
    spec = ScorecardSpec(
        name="trial", books=("trial",), title=Text("", ""), protected=(),
        reject_inference=RejectInference(method="parcelling"),
        sources=(Source(table="t", features=(Feature(name="x", label=Text("x", "x")),)),),
    )  # fmt: skip
    data = TrainingSet(frame, bad.to_numpy(), [], {}, "", declined=declined, indeterminate=indeterminate)
    return spec, data


def _rows(rng: np.random.Generator, rows: int, shift: float = 0.0, first: int = 0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": [f"C{first + n}" for n in range(rows)],
            "observation_date": pd.Timestamp("2025-06-30"),
            "x": rng.normal(size=rows) + shift,
        }
    )


def test_the_scorecard_is_shown_with_and_without_the_declined() -> None:
    spec, data = _set(_rows(np.random.default_rng(4), 900, 1.0, 10_000), pd.DataFrame())
    fitted = fit("trial", spec, data)
    assert fitted.inference is not None
    assert fitted.inference.declined == 900
    plain = fit("trial", spec.model_copy(update={"reject_inference": RejectInference()}), _set(
        pd.DataFrame(), pd.DataFrame())[1])  # fmt: skip
    assert plain.inference is None
    assert fitted.inference.auc_without == plain.figures["hold_out"].auc
    assert fitted.inference.pd_declined_with > 0.1
    # The PD of accepted rows stays calibrated on what is known of them.
    assert fitted.figures["development"].mean_pd == pytest.approx(
        plain.figures["development"].mean_pd, rel=0.02
    )


def test_rows_that_were_late_and_did_not_default_lower_the_pd_and_are_no_examples() -> None:
    late = _rows(np.random.default_rng(5), 600, 0.5, 20_000)
    spec, data = _set(pd.DataFrame(), late)
    _, without = _set(pd.DataFrame(), pd.DataFrame())
    with_, plain = fit("trial", spec, data), fit("trial", spec, without)
    assert with_.table.characteristics == plain.table.characteristics
    assert with_.figures["hold_out"].auc == plain.figures["hold_out"].auc
    development = with_.figures["development"]
    rows = sum(each.rows for each in development.grades)
    assert rows > development.rows
    assert development.mean_pd == pytest.approx(development.bads / rows, rel=0.01)
    assert development.mean_pd < plain.figures["development"].mean_pd
