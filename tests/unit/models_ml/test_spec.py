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


def test_shipped_scorecards_cover_the_demo_book_and_every_real_set() -> None:
    assert {name: spec.books for name, spec in load_scorecards().items()} == {
        "retail_behaviour": ("demo",),
        "retail_application": ("demo",),
        "corporate": ("demo",),
        "trade_payment": ("demo",),
        "taiwan_behaviour": ("taiwan_cards",),
        "german_application": ("german_credit",),
        "polish_bankruptcy": ("polish_firms",),
        "sme_invoice_behaviour": ("sme_invoices",),
    }
    assert [spec.name for spec in scorecards_of("demo")] == [
        "corporate", "retail_application", "retail_behaviour", "trade_payment",
    ]  # fmt: skip


def test_characteristics_that_a_book_declares_become_features_without_the_protected_ones() -> None:
    german, polish = scorecard("german_application").features, scorecard("polish_bankruptcy").features
    assert german["purpose"].kind == "categorical"
    assert german["amount"].kind == "numeric"
    assert german["purpose"].label.zh == "贷款用途"
    assert not {"age", "personal_status", "foreign_worker", "customer_id", "observed_on"} & set(german)
    assert list(polish) == [f"attr{number}" for number in range(1, 65)]


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
