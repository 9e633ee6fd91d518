"""Warnings propose responses; people decide; what they approved has effect."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from creditops.errors import UsageError
from creditops.warehouse import connect
from creditops.warnings import evaluate, list_warnings, resolve
from creditops.warnings.responses import approve, finish, list_actions, reject
from tests.dbt.served import served
from tests.warnings.portfolio import BOOK, JUNE, Portfolio, after

NEXT = after(1)


def over_limit(portfolio: Portfolio, customer: str = "c1", **values: Any) -> None:
    """A card over its limit of 10,000 by enough for a red warning that proposes a reduction."""
    portfolio.facility(customer, balance=13000, **values)


def published(day: date) -> list[dict[str, Any]]:
    """Rows of ``proposed_actions`` in a publication of ``day``."""
    return served("proposed_actions", BOOK, day)


def limit_effects(day: date) -> list[tuple[Any, ...]]:
    with connect("publisher") as connection:
        return connection.execute(
            "select customer_id, is_suspended, reduction from actions.approved_limit_actions(%s, %s)"
            " order by customer_id",
            (BOOK, day),
        ).fetchall()


def state() -> dict[str, list[tuple[Any, ...]]]:
    """Everything that evaluation and decisions keep."""
    tables = ("early_warnings", "warning_events", "warning_states", "proposed_actions", "action_events")
    with connect("publisher") as connection:
        return {
            name: sorted(
                connection.execute(f"select t::text from actions.{name} as t").fetchall()  # type: ignore[arg-type]
            )
            for name in tables
        }


def test_an_open_warning_proposes_what_its_rule_recommends(portfolio: Portfolio) -> None:
    over_limit(portfolio)
    evaluate(BOOK, JUNE)
    (action,) = list_actions(BOOK)
    assert (action.customer_id, action.kind, action.severity) == ("c1", "reduce_limit", "red")
    assert action.amount == Decimal("5000.00")
    assert [row["status"] for row in published(JUNE)] == ["proposed"]
    assert limit_effects(JUNE) == []


def test_an_approved_reduction_shows_its_effect_in_the_next_publication(portfolio: Portfolio) -> None:
    over_limit(portfolio)
    evaluate(BOOK, JUNE)
    (action,) = list_actions(BOOK)
    approve(BOOK, action.action_id, actor="li", reason="over for weeks", amount=Decimal("3000"))
    evaluate(BOOK, NEXT)
    (row,) = published(NEXT)
    assert (row["status"], row["decided_by"], row["amount"]) == ("approved", "li", Decimal("3000.00"))
    assert limit_effects(NEXT) == [("c1", False, Decimal("3000.00"))]
    (warning,) = list_warnings(BOOK)
    assert warning.status == "in_response"
    finish(BOOK, action.action_id, actor="li", reason="limit changed in the core system")
    assert limit_effects(NEXT) == []
    with connect("publisher") as connection:
        trail = connection.execute(
            "select actor, action, reason from ops.audit where action like 'action.%%' order by at"
        ).fetchall()
    assert trail == [
        ("li", "action.approved", "over for weeks"),
        ("li", "action.done", "limit changed in the core system"),
    ]


def test_a_suspension_suspends(portfolio: Portfolio) -> None:
    portfolio.bureau("c1", public_records=1)
    evaluate(BOOK, JUNE)
    (action,) = list_actions(BOOK)
    assert (action.kind, action.amount) == ("suspend", None)
    approve(BOOK, action.action_id, actor="li", reason="enforced by a court")
    assert limit_effects(JUNE) == [("c1", True, Decimal(0))]


def test_replaying_a_day_changes_nothing_also_after_a_decision(portfolio: Portfolio) -> None:
    over_limit(portfolio)
    over_limit(portfolio, "c2")
    portfolio.customer("c2", group_id="g")
    evaluate(BOOK, JUNE)
    first, second = list_actions(BOOK)
    approve(BOOK, first.action_id, actor="li", reason="yes")
    reject(BOOK, second.action_id, actor="li", reason="no")
    before = state()
    evaluate(BOOK, JUNE)
    assert state() == before


def test_one_open_response_per_customer_and_kind_from_the_severest_warning(portfolio: Portfolio) -> None:
    portfolio.bureau("c1", public_records=1)  # red, suspend
    portfolio.bureau("c1", 3)
    portfolio.facility("c1", 1, mob=2, amount_paid=0, dpd=11)
    portfolio.facility("c1", mob=3, amount_paid=0, dpd=42, overdue_amount=200)  # red, suspend
    portfolio.first_payment("c1", date(2026, 5, 19), None)
    evaluate(BOOK, JUNE)
    suspensions = [each for each in list_actions(BOOK) if each.kind == "suspend"]
    reds = [each for each in list_warnings(BOOK) if each.recommended_response == "suspend"]
    assert len(reds) == 2
    assert len(suspensions) == 1


def test_a_rejected_response_is_not_proposed_again_by_the_same_warning(portfolio: Portfolio) -> None:
    over_limit(portfolio)
    evaluate(BOOK, JUNE)
    (action,) = list_actions(BOOK)
    reject(BOOK, action.action_id, actor="li", reason="a booking error")
    evaluate(BOOK, NEXT)
    assert list_actions(BOOK) == []
    assert [row["status"] for row in published(NEXT)] == ["rejected"]


def test_an_undecided_proposal_expires_with_its_warning(portfolio: Portfolio) -> None:
    over_limit(portfolio)
    evaluate(BOOK, JUNE)
    (warning,) = list_warnings(BOOK)
    resolve(BOOK, warning.warning_id, actor="li", reason="paid back")
    evaluate(BOOK, NEXT)
    (row,) = published(NEXT)
    assert (row["status"], row["decided_by"]) == ("expired", None)


def test_a_publication_of_a_past_day_shows_the_actions_of_that_day(portfolio: Portfolio) -> None:
    over_limit(portfolio)
    evaluate(BOOK, JUNE)
    (action,) = list_actions(BOOK)
    evaluate(BOOK, NEXT)
    approve(BOOK, action.action_id, actor="li", reason="yes")
    assert [row["status"] for row in published(JUNE)] == ["proposed"]
    assert [row["status"] for row in published(NEXT)] == ["approved"]
    assert published(JUNE - timedelta(days=1)) == []


def test_decisions_need_a_name_a_reason_and_an_open_action(portfolio: Portfolio) -> None:
    over_limit(portfolio)
    evaluate(BOOK, JUNE)
    (action,) = list_actions(BOOK)
    for actor, reason in ((" ", "why"), ("system", "why"), ("li", " ")):
        with pytest.raises(UsageError):
            approve(BOOK, action.action_id, actor=actor, reason=reason)
    with pytest.raises(UsageError, match="has no action"):
        approve(BOOK, "a0", actor="li", reason="why")
    with pytest.raises(UsageError, match="is proposed; it cannot become done"):
        finish(BOOK, action.action_id, actor="li", reason="why")
    reject(BOOK, action.action_id, actor="li", reason="no")
    with pytest.raises(UsageError, match="is rejected"):
        approve(BOOK, action.action_id, actor="li", reason="yes")


def test_open_warnings_per_customer_are_those_of_the_day(portfolio: Portfolio) -> None:
    over_limit(portfolio)
    portfolio.bureau("c1", public_records=1)
    portfolio.bureau("c2", inquiries_3m=4)
    evaluate(BOOK, JUNE)
    with connect("publisher") as connection:
        rows = connection.execute(
            "select * from actions.open_warnings(%s, %s) order by customer_id", (BOOK, JUNE)
        ).fetchall()
    assert rows == [("c1", 2, 0, 0), ("c2", 0, 0, 1)]
