"""Scorecard declarations: what ships is sound, what is wrong is refused with file and field."""

from __future__ import annotations

import pytest

from creditops.errors import UsageError
from models_ml.spec import load_scorecards, parse_scorecard, scorecard, scorecards_of

_CARD = """
name: trial
books: [demo]
title: {{zh: 试验, en: Trial}}
protected: [sex, region]
{extra}
sources:
  - table: features.anything
    features:
      - {{name: {feature}, label: {{zh: 甲, en: First}}}}
"""


def test_shipped_scorecards_cover_demo_and_taiwan() -> None:
    assert {"retail_behaviour", "taiwan_behaviour"} <= set(load_scorecards())
    assert [spec.name for spec in scorecards_of("demo")] == ["retail_behaviour"]
    assert [spec.name for spec in scorecards_of("taiwan_cards")] == ["taiwan_behaviour"]


def test_every_shipped_feature_has_texts_in_both_languages_and_none_is_protected() -> None:
    for spec in load_scorecards().values():
        assert spec.protected_in_use == []
        for feature in spec.features.values():
            assert feature.label.zh.strip()
            assert feature.label.en.strip()


def test_a_protected_attribute_is_refused() -> None:
    with pytest.raises(UsageError, match=r"trial\.yml.*protected attributes as features: sex"):
        parse_scorecard(_CARD.format(feature="sex", extra=""), "trial.yml")


def test_a_named_approver_can_allow_it() -> None:
    extra = "protected_overrides: [{attribute: sex, approver: Head of risk, reason: required by law}]"
    spec = parse_scorecard(_CARD.format(feature="sex", extra=extra), "trial.yml")
    assert spec.protected_in_use == []


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(UsageError, match=r"trial\.yml: algoritm"):
        parse_scorecard(_CARD.format(feature="x", extra="algoritm: woe_logistic"), "trial.yml")


def test_a_feature_without_texts_is_named() -> None:
    text = _CARD.format(feature="x", extra="").replace("- {name: x, label: {zh: 甲, en: First}}", "- x")
    with pytest.raises(UsageError, match="feature 'x' has no label"):
        parse_scorecard(text, "trial.yml")


def test_an_unknown_scorecard_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="retail_behaviour"):
        scorecard("nonsense")
