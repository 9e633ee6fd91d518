"""Backtest and trial of rules on a history whose figures are worked out by hand."""

from __future__ import annotations

from datetime import date

import pytest

from creditops.errors import UsageError
from creditops.warehouse import connect
from creditops.warnings import evaluate, load_rules
from creditops.warnings.backtest import RuleBacktest, backtest
from creditops.warnings.calendar import month_end
from creditops.warnings.rule import Rule
from creditops.warnings.trial import try_rule
from tests.dbt.served import served
from tests.warnings.portfolio import BOOK, JUNE, Portfolio

FIRST = date(2025, 1, 31)
EXCESS = next(rule for rule in load_rules() if rule.id == "limit_excess")
MONTHS = 18
# Month ends before June at which each customer is over its limit, and days of its default.
OVER = {"a": {14, 13, 12}, "b": {14, 10}, "c": {12, 11}, "d": set[int]()}
DEFAULTS = {"a": date(2025, 8, 15), "d": date(2025, 9, 10)}


@pytest.fixture(scope="module")
def history(module_portfolio: Portfolio) -> Portfolio:
    """Four cards over 20 months; a and d default; b is over its limit twice, with three months off."""
    for customer, over in OVER.items():
        for back in range(20):
            day = month_end(JUNE, months_before=back)
            in_default = customer in DEFAULTS and day >= DEFAULTS[customer]
            module_portfolio.facility(
                customer, back, balance=12_500 if back in over else 5_000, is_default=in_default
            )
            module_portfolio.label(customer, back, exclusion="in_default" if in_default else None)
    for customer, day in DEFAULTS.items():
        module_portfolio.default(customer, day)
    return module_portfolio


def figures(months: int = MONTHS) -> RuleBacktest:
    (found,) = backtest(BOOK, JUNE, months=months, rules=[EXCESS])
    return found


@pytest.mark.usefixtures("history")
def test_figures_equal_those_worked_out_by_hand() -> None:
    found = figures()
    assert found.first_day == FIRST
    # a at 14 (until 12 it is one warning), b at 14 and 10, c at 12: a defaults 3.5 months after.
    assert (found.alerts, found.alerts_6m, found.alerts_12m) == (4, 4, 3)
    assert found.precision_6m == pytest.approx(1 / 4)
    assert found.precision_12m == pytest.approx(1 / 3)
    # At risk: a until July 2025 (7 month ends), d until August (8), b and c all 18.
    # 6 months known until December 2025: a 6 of 7 (February on), d 6 of 8, b and c 12 each.
    assert found.base_rate_6m == pytest.approx(12 / (7 + 8 + 12 + 12))
    # 12 months known until June 2025: six month ends of each; a and d default within all of them.
    assert found.base_rate_12m == pytest.approx(12 / 24)
    assert found.lift_12m == pytest.approx((1 / 3) / (12 / 24))
    assert (found.defaults, found.recall_12m, found.recall_6m) == (2, 0.5, 0.5)
    assert found.median_lead_days == (date(2025, 8, 15) - month_end(JUNE, months_before=14)).days
    assert found.verdict == "too_few"


@pytest.mark.usefixtures("history")
def test_the_backtest_is_published_with_its_own_day() -> None:
    first = figures()
    assert figures() == first
    for day, rows in ((date(2026, 6, 29), 0), (JUNE, 1), (date(2026, 7, 1), 1)):
        assert len(served("warning_backtest", BOOK, day)) == rows


@pytest.mark.usefixtures("history")
def test_what_is_learnt_after_the_day_does_not_count() -> None:
    (early,) = backtest(BOOK, date(2025, 7, 31), months=7, rules=[EXCESS])
    assert early.alerts == 3
    assert early.alerts_12m == 0
    assert early.defaults == 0


@pytest.mark.usefixtures("history")
def test_a_trial_compares_with_the_version_in_force_and_writes_nothing() -> None:
    stricter = EXCESS.model_copy(update={"version": 9, "parameters": {"tolerance": 0.3, "red_share": 0.5}})
    looser = EXCESS.model_copy(update={"version": 9, "population": "not is_default"})
    with connect("publisher") as connection:
        before = connection.execute("select count(*) from actions.warning_backtest").fetchone()
    none = try_rule(stricter, BOOK, FIRST, JUNE)
    same = try_rule(looser, BOOK, FIRST, JUNE)
    with connect("publisher") as connection:
        assert connection.execute("select count(*) from actions.warning_backtest").fetchone() == before
        assert connection.execute("select count(*) from actions.early_warnings").fetchone() == (0,)
        assert connection.execute("select count(*) from actions.warning_rules").fetchone() == (0,)
    assert none.against == same.against == EXCESS.version
    assert sum(month["alerts"] for month in none.months) == 0
    assert sum(month["no_longer"] for month in none.months) == 4
    assert [(m["alerts"], m["red"], m["only_tried"]) for m in same.months if m["alerts"]] == [
        (2, 2, 0), (1, 1, 0), (1, 1, 0),
    ]  # fmt: skip
    assert same.figures_before is not None
    assert same.figures.precision_12m == same.figures_before.precision_12m


@pytest.mark.usefixtures("history")
def test_a_new_rule_shows_examples_with_its_texts() -> None:
    rule = Rule.model_validate(
        {
            **EXCESS.model_dump(mode="json"),
            "id": "balance_over",
            "condition": "balance > {amount}",
            "severity": "orange",
            "parameters": {"amount": 4000},
            "text": {"zh": "余额{balance}。", "en": "Balance {balance}."},
            "valid_from": "2030-01-01",
        }
    )
    trial = try_rule(rule, BOOK, FIRST, JUNE)
    assert (trial.against, trial.figures_before) == (None, None)
    assert trial.examples[0]["text_en"] == "Balance 5,000."
    assert [month["alerts"] for month in trial.months] == [0] * MONTHS  # on before the first month end
    assert trial.to_dict()["figures"]["recall_12m"] == 1.0


@pytest.mark.usefixtures("history")
def test_a_trial_without_a_month_end_is_refused() -> None:
    with pytest.raises(UsageError, match="no month end"):
        try_rule(EXCESS, BOOK, date(2026, 6, 1), date(2026, 6, 29))


def test_alerts_are_the_warnings_that_the_life_cycle_raises(portfolio: Portfolio) -> None:
    """Month by month evaluation and the backtest see the same warnings begin."""
    for customer, over in OVER.items():
        for back in range(20):
            portfolio.facility(customer, back, balance=12_500 if back in over else 5_000)
            portfolio.label(customer, back)
    for back in range(MONTHS + 1, -1, -1):
        evaluate(BOOK, month_end(JUNE, months_before=back), rules=[EXCESS])
    with connect("publisher") as connection:
        raised = connection.execute(
            "select count(*) from actions.early_warnings where raised_on >= %s", (FIRST,)
        ).fetchone()
    assert raised == (figures().alerts,)
