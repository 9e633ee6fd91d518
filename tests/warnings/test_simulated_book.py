"""On a simulated book with injected events, month by month: events are found before they default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import warning_recall
from creditops.simulate import simulate
from creditops.warehouse import connect
from creditops.warnings import list_warnings
from creditops.warnings.backtest import backtest
from creditops.warnings.explanation import explain, recompute
from creditops.warnings.rule import load_rules

BOOK, DAY = warning_recall.BOOK, warning_recall.DAY


@pytest.fixture(scope="module")
def found(module_warehouse: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the rules found of the events of a small book, against its hidden truth."""
    folder: Path = tmp_path_factory.mktemp("simulated")
    simulate(folder, book=BOOK, customers=600, months=24, seed=5, as_of=DAY)
    warning_recall.load_and_build(folder)
    warning_recall.evaluate_months(16)
    return warning_recall.measure(folder)


@pytest.mark.parametrize(
    "kind", ["sales_crash", "partner_fraud", "group_contagion", "bureau_default_elsewhere"]
)
def test_nine_in_ten_of_those_an_event_strikes_are_warned_of_before_they_default(
    found: dict[str, Any], kind: str
) -> None:
    event = found["events"][kind]
    assert event["struck"] > 0
    assert event["recall"] >= 0.9, event
    assert event["recall_of_defaults"] is None or event["recall_of_defaults"] >= 0.9
    assert event["lead_days"] is None or event["lead_days"] > 0


def test_severer_warnings_are_more_often_right(found: dict[str, Any]) -> None:
    precision = found["precision"]
    assert precision["red"]["either"] > precision["orange"]["either"] > precision["yellow"]["either"]


@pytest.mark.usefixtures("found")
def test_every_published_warning_is_worked_out_again_from_its_printout() -> None:
    open_ = list_warnings(BOOK, limit=10_000)
    assert len(open_) > 50
    with connect("publisher") as session:
        for warning in open_:
            again = recompute(explain(BOOK, warning.warning_id, session=session), session=session)
            expected = {"holds": True, **{name: getattr(warning, name) for name in again if name != "holds"}}
            assert again == expected, warning


@pytest.mark.usefixtures("found")
def test_every_customer_and_rule_has_at_most_one_open_warning_and_one_open_response_a_kind() -> None:
    with connect("publisher") as connection:
        doubled = connection.execute(
            "select customer_id, rule_id from actions.early_warnings where closed_on is null"
            " group by 1, 2 having count(*) > 1 union all"
            " select customer_id, kind from actions.proposed_actions where status in ('proposed', 'approved')"
            " group by 1, 2 having count(*) > 1"
        ).fetchall()
        unanswered = connection.execute(
            "select count(*) from actions.early_warnings as warning where closed_on is null and not exists"
            " (select from actions.proposed_actions as action where action.customer_id = warning.customer_id"
            " and action.kind = warning.recommended_response and action.status = 'proposed')"
        ).fetchone()
    assert doubled == []
    assert unanswered == (0,)


@pytest.mark.usefixtures("found")
def test_rules_on_repayment_beat_the_base_rate() -> None:
    judged = {each.rule_id: each for each in backtest(BOOK, DAY, months=15)}
    assert set(judged) == {rule.id for rule in load_rules()}
    for rule_id in ("dpd_rolled_forward", "repeated_lateness", "overdue_elsewhere"):
        assert (judged[rule_id].lift_6m or 0) > 1.5, judged[rule_id]
    late = judged["dpd_rolled_forward"]
    assert late.recall_12m is not None
    assert late.recall_12m > 0.95
