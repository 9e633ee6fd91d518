"""Gates refuse what must not become champion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from models_ml.card.evaluate import score_frame
from models_ml.card.points_table import PointsTable, Text
from models_ml.data.split import DEVELOPMENT, HOLD_OUT
from models_ml.fit.assessment import SplitFigures, assess
from models_ml.fit.binning import characteristic, with_evidence
from models_ml.measure.fairness import GroupFigures, by_group
from models_ml.spec import Feature, scorecard
from models_ml.validate.gates import (
    Gate,
    all_passed,
    evaluate_gates,
    find_contrary,
    find_leaks,
    wrong_signs,
)
from models_ml.validate.parity import Parity
from tests.unit.models_ml.tables import numeric, table

_SPEC = scorecard("retail_behaviour")


def _case(drop: float = 0.0) -> tuple[PointsTable, dict[str, SplitFigures]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=3000)
    bad = (rng.uniform(size=3000) < 1 / (1 + np.exp(2 - 1.5 * x))).astype(int)
    card = table(numeric("utilisation_now", [-1, 0, 1], [60, 45, 25, 5], direction="higher_is_riskier"))
    splits = np.where(np.arange(3000) % 3 == 0, HOLD_OUT, DEVELOPMENT).astype(object)
    figures = assess(card, score_frame(card, pd.DataFrame({"utilisation_now": x})), bad, splits)
    held = figures[HOLD_OUT]
    figures[HOLD_OUT] = replace(held, auc=held.auc - drop / 2, gini=held.gini - drop, psi=0.01)
    return card, figures


def _failed(gates: list[Gate]) -> set[str]:
    return {gate.name for gate in gates if not gate.passed}


def test_a_sound_scorecard_passes_every_gate() -> None:
    card, figures = _case()
    gates = evaluate_gates(_SPEC, card, figures, {}, Parity(100, 0))
    assert _failed(gates) == set()
    assert all_passed(gates)


def test_no_gates_is_not_passed() -> None:
    assert not all_passed([])


def test_a_drop_of_gini_fails() -> None:
    card, figures = _case(drop=0.2)
    assert _failed(evaluate_gates(_SPEC, card, figures, {}, Parity(100, 0))) == {"gini_drop"}


def test_rows_that_differ_between_sql_and_pyfunc_fail() -> None:
    card, figures = _case()
    assert _failed(evaluate_gates(_SPEC, card, figures, {}, Parity(100, 1))) == {"parity"}
    assert _failed(evaluate_gates(_SPEC, card, figures, {}, Parity(0, 0))) == {"parity"}


def test_a_flipped_sign_fails() -> None:
    card, figures = _case()
    flipped = numeric("utilisation_now", [0.0], [5, 60], direction="higher_is_riskier")
    assert _failed(
        evaluate_gates(_SPEC, card.with_characteristics((flipped,)), figures, {}, Parity(1, 0))
    ) == {"sign"}
    negative = replace(card.characteristics[0], coefficient=-0.3)
    assert wrong_signs(card.with_characteristics((negative,))) == ["utilisation_now"]


def test_a_protected_characteristic_fails() -> None:
    card, figures = _case()
    sexed = card.with_characteristics((*card.characteristics, numeric("sex", [1.5], [1, 2])))
    assert _failed(evaluate_gates(_SPEC, sexed, figures, {}, Parity(1, 0))) == {"no_protected_features"}


def test_a_planted_future_value_is_found_as_a_leak() -> None:
    rng = np.random.default_rng(1)
    bad = (rng.uniform(size=4000) < 0.04).astype(int)
    frame = pd.DataFrame(
        {
            "honest": rng.normal(size=4000) + bad,
            "planted": -bad + 0.01 * rng.normal(size=4000),
            "filled_afterwards": np.where(bad, 3.0, np.nan),
            "letter": np.where(bad, "sent", "none"),
        }
    )
    kinds = {"letter": "categorical"}
    features = [
        Feature(name=name, kind=kinds.get(name, "numeric"), label=Text("", ""))  # type: ignore[arg-type]
        for name in frame
    ]
    letter = with_evidence(characteristic(features[-1], [["sent"], ["none"]]), frame["letter"], bad)
    leaks = find_leaks(frame, bad, features, [letter], 0.97)
    assert set(leaks) == {"planted", "filled_afterwards", "letter"}
    card, figures = _case()
    assert _failed(evaluate_gates(_SPEC, card, figures, leaks, Parity(1, 0))) == {"no_leakage"}


def _book(rows: int = 4000) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(2)
    used = rng.normal(size=rows)
    bad = (rng.uniform(size=rows) < 1 / (1 + np.exp(2 - 1.2 * used))).astype(int)
    return pd.DataFrame({"used": used, "noise": rng.normal(size=rows)}), bad


def _feature(name: str, direction: str = "higher_is_riskier", **more: object) -> Feature:
    return Feature.model_validate(
        {"name": name, "direction": direction, "label": Text(zh=name, en=name), **more}
    )


def test_a_source_that_flips_a_sign_is_refused() -> None:
    frame, bad = _book()
    features = [_feature("used"), _feature("noise")]
    assert find_contrary(frame, bad, features, 0.05) == {}
    contrary = find_contrary(frame.assign(used=-frame["used"]), bad, features, 0.05)
    assert list(contrary) == ["used"]
    card, figures = _case()
    gates = evaluate_gates(_SPEC, card, figures, {}, Parity(100, 0), contrary=contrary)
    assert _failed(gates) == {"sign"}
    assert "used (AUC 0.2" in next(gate.message for gate in gates if gate.name == "sign")


def test_no_direction_and_special_values_flip_nothing() -> None:
    frame, bad = _book()
    coded = frame.assign(used=np.where(bad == 1, -9.0, frame["used"]))
    assert find_contrary(coded, bad, [_feature("used", special_values={-9.0: "unknown"})], 0.05) == {}
    assert find_contrary(-frame, bad, [_feature("used", "none")], 0.05) == {}


def _groups(share: float, rows: int = 3000) -> list[GroupFigures]:
    """Figures of groups ``a`` and ``b`` where ``share`` of ``b``'s rows score above the cut-off."""
    rng = np.random.default_rng(4)
    names = np.where(np.arange(rows) % 2 == 0, "a", "b")
    above = rng.uniform(size=rows) < np.where(names == "a", 0.9, share)
    scored = pd.DataFrame({"score": np.where(above, 620, 500), "pd": np.where(above, 0.02, 0.2)})
    bad = (rng.uniform(size=rows) < 0.1).astype(int)
    return by_group(_SPEC, pd.DataFrame({"sex": names}), scored, bad, 600)


def test_a_group_that_is_approved_far_less_often_fails() -> None:
    card, figures = _case()
    fair = evaluate_gates(_SPEC, card, figures, {}, Parity(100, 0), groups=_groups(0.85))
    assert _failed(fair) == set()
    unfair = evaluate_gates(_SPEC, card, figures, {}, Parity(100, 0), groups=_groups(0.6))
    assert _failed(unfair) == {"fairness"}


def test_a_small_group_is_shown_and_not_judged() -> None:
    card, figures = _case()
    few = _groups(0.5, rows=200)
    assert [each.judged for each in few] == [False, False]
    assert _failed(evaluate_gates(_SPEC, card, figures, {}, Parity(100, 0), groups=few)) == set()
