"""A scorecard as a classifier: what it is given is read exactly, or refused by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from creditops.errors import CreditOpsError, DataRefusedError, UsageError
from models_ml.fit.estimator import ScorecardClassifier

ROWS = 1200
_RANDOM = np.random.default_rng(3)
X = _RANDOM.normal(size=ROWS)
BAD = (_RANDOM.random(ROWS) < 1 / (1 + np.exp(2 - 1.5 * X))).astype(int)
FRAME = pd.DataFrame({"x": X, "other": _RANDOM.normal(size=ROWS)})
SHARE = _RANDOM.random(ROWS)


def classic(**parameters: Any) -> ScorecardClassifier:
    return ScorecardClassifier("woe_logistic", **parameters)


@pytest.mark.parametrize("outcome", [np.nan, None, 0.3, 257, -1, "1", pd.NA])
def test_an_outcome_is_exactly_0_or_1(outcome: Any) -> None:
    given = pd.Series(BAD, dtype=object)
    given[7] = outcome
    with pytest.raises(DataRefusedError, match="outcome of row 8 is"):
        classic().fit(FRAME, given)


@pytest.mark.parametrize("type_", [bool, float, "Int64", object, Decimal])
def test_outcomes_of_any_type_that_are_0_and_1_are_taken(type_: Any) -> None:
    given = (
        pd.Series([Decimal(int(each)) for each in BAD]) if type_ is Decimal else pd.Series(BAD).astype(type_)
    )
    expected = classic().fit(FRAME, BAD).table_
    assert classic().fit(FRAME, given).table_ == expected


@pytest.mark.parametrize("algorithm", ["woe_logistic", "boosted_additive"])
def test_a_feature_without_ordinary_values_has_bins_of_its_own_or_a_reason(algorithm: Any) -> None:
    frame = FRAME.assign(
        tells=np.where(SHARE < 0.2 + 0.6 * BAD, -1.0, np.nan), says_nothing=np.nan, constant=3.0
    )
    fitted = ScorecardClassifier(algorithm, special_values={"tells": {-1.0: "none"}}).fit(frame, BAD)
    (tells,) = (each for each in fitted.table_.characteristics if each.name == "tells")
    assert {b.kind for b in tells.bins if b.count} == {"special", "missing"}
    assert fitted.dropped_["says_nothing"] == "is the same in every row"
    assert fitted.dropped_["constant"] == "is the same in every row"
    assert set(fitted.table_.features) | set(fitted.dropped_) == set(frame.columns), "nothing vanishes"


@pytest.mark.parametrize("algorithm", ["woe_logistic", "boosted_additive"])
def test_an_infinite_value_is_refused_by_column_and_row(algorithm: Any) -> None:
    frame = FRAME.copy()
    frame.loc[4, "other"] = -np.inf
    with pytest.raises(DataRefusedError, match="column other, row 5: the value is infinite"):
        ScorecardClassifier(algorithm).fit(frame, BAD)


@pytest.mark.parametrize("kind", ["Decimal", "object with None", "Float64", "int names"])
def test_numbers_of_any_type_make_the_same_card(kind: str) -> None:
    rounded = pd.Series(X.round(3))
    missing = pd.Series(range(ROWS)) % 50 == 0
    plain = pd.DataFrame({"x": rounded.where(~missing)})
    expected = classic().fit(plain, BAD).decide(plain)["score"]
    given = {
        "Decimal": [None if m else Decimal(repr(v)) for v, m in zip(rounded, missing, strict=True)],
        "object with None": plain["x"].astype(object).where(~missing, None),
        "Float64": plain["x"].astype("Float64"),
        "int names": plain["x"],
    }[kind]
    frame = pd.DataFrame({7 if kind == "int names" else "x": given})
    fitted = classic().fit(frame, BAD)
    assert list(fitted.kinds_.values()) == ["numeric"]
    assert fitted.decide(frame)["score"].tolist() == expected.tolist()


def test_a_category_is_the_same_as_text_and_as_number() -> None:
    frame = FRAME.assign(category=np.where(X > 0, "1", "2"))
    fitted = ScorecardClassifier(max_characteristics=1).fit(frame[["category"]], BAD)
    expected = fitted.decide(frame)["score"].tolist()
    for numbers in (np.where(X > 0, 1, 2), np.where(X > 0, 1.0, 2.0), [Decimal(1 + int(x <= 0)) for x in X]):
        assert fitted.decide(frame.assign(category=numbers))["score"].tolist() == expected


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"directions": {"x": "ascending"}}, "'ascending' is no direction"),
        ({"directions": {"xx": "higher_is_riskier"}}, "there is no column 'xx'"),
        ({"special_values": {"y": {-1.0: "none"}}}, "there is no column 'y'"),
        ({"algorithm": "boosted"}, "algorithm 'boosted' is not known"),
    ],
)
def test_a_misspelt_declaration_is_wrong_use(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ScorecardClassifier(**parameters).fit(FRAME, BAD)


def test_what_cannot_be_read_is_named() -> None:
    fitted = classic().fit(FRAME, BAD)
    given: list[tuple[pd.DataFrame, str]] = [
        (FRAME[["other"]], "column x is not among 1 columns"),
        (FRAME.astype(object).assign(x="much"), "column x, row 1: 'much' is no number"),
        (pd.concat([FRAME, FRAME], axis=1), "two columns are named x"),
    ]
    for frame, said in given:
        with pytest.raises(CreditOpsError, match=said):
            fitted.decide(frame)
    with pytest.raises(DataRefusedError, match="1199 outcomes for 1200 rows"):
        classic().fit(FRAME, BAD[1:])
