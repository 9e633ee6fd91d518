"""Since when a condition holds, whom rules speak about, and what a warning says of who is in default."""

from __future__ import annotations

from datetime import date

from creditops import verdict
from creditops.warnings import evaluate, events_of, list_warnings
from tests.warnings.portfolio import BOOK, JUNE, Portfolio, after

MARCH, APRIL = date(2026, 3, 31), date(2026, 4, 30)


def over_the_limit(p: Portfolio, customer: str, months: int) -> None:
    """Over its limit at the last ``months`` month ends, and within it at the one before."""
    for back in range(months):
        p.facility(customer, back, balance=12_500)
    p.facility(customer, months, balance=9_000)


def test_the_first_run_raises_with_the_day_on_which_the_condition_began(portfolio: Portfolio) -> None:
    over_the_limit(portfolio, "old", 3)
    over_the_limit(portfolio, "new", 1)
    evaluate(BOOK, JUNE)
    found = {
        w.customer_id: (w.raised_on, w.first_seen_on) for w in list_warnings(BOOK, rule_id="limit_excess")
    }
    assert found == {"old": (APRIL, JUNE), "new": (JUNE, JUNE)}
    evaluate(BOOK, after(1))
    assert found == {
        w.customer_id: (w.raised_on, w.first_seen_on) for w in list_warnings(BOOK, rule_id="limit_excess")
    }


def test_a_day_within_the_month_begins_with_the_month_end_that_it_looks_at(portfolio: Portfolio) -> None:
    over_the_limit(portfolio, "c1", 1)
    evaluate(BOOK, after(12))
    [warning] = list_warnings(BOOK, rule_id="limit_excess")
    assert (warning.raised_on, warning.first_seen_on) == (JUNE, after(12))


def test_a_rule_may_name_the_day_on_which_it_began(portfolio: Portfolio) -> None:
    portfolio.state("c1", is_default=True, default_on=date(2026, 2, 11), default_reason="contagion_elsewhere")
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK, rule_id="customer_in_default")
    assert (warning.raised_on, warning.first_seen_on, warning.severity) == (date(2026, 2, 11), JUNE, "red")
    assert "debt at all lenders is past due" in warning.text_en
    assert "全部机构债务逾期传染" in warning.text_zh


def test_a_facility_in_default_alone_is_warned_of_as_such(portfolio: Portfolio) -> None:
    portfolio.state("c1", facilities_in_default=1, class5="substandard", default_on=MARCH,
                    default_reason="past_due")  # fmt: skip
    verdict.settle(BOOK, JUNE)
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK, rule_id="customer_in_default")
    assert (warning.raised_on, warning.severity, warning.after_default) == (MARCH, "red", True)
    assert warning.text_en.startswith("Part of the facilities (not the customer) in default since 2026-03-31")
    assert warning.text_zh.startswith("客户部分授信（未达客户层面）自2026-03-31起违约")


def test_nobody_is_warned_of_who_owes_nothing_and_may_not_draw(portfolio: Portfolio) -> None:
    for customer in ("owes", "draws", "gone"):
        portfolio.bureau(customer, public_records=1)
    portfolio.state("owes", may_draw=False)
    portfolio.state("draws", owes=False)
    portfolio.state("gone", owes=False, may_draw=False, open_facilities=0)
    verdict.settle(BOOK, JUNE)
    evaluate(BOOK, JUNE)
    assert {w.customer_id for w in list_warnings(BOOK)} == {"owes", "draws"}


def test_a_warning_ends_at_once_with_what_the_customer_owed(portfolio: Portfolio) -> None:
    portfolio.bureau("c1", public_records=1)
    portfolio.state("c1")
    verdict.settle(BOOK, JUNE)
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK)
    portfolio.state("c1", day=after(1), owes=False, may_draw=False, open_facilities=0)
    verdict.settle(BOOK, after(1))
    evaluate(BOOK, after(1))
    assert list_warnings(BOOK) == []
    assert events_of(BOOK, warning.warning_id)[-1]["reason"] == "the customer owes nothing and may not draw"


def test_a_warning_on_who_is_in_default_is_marked_until_cured(portfolio: Portfolio) -> None:
    portfolio.bureau("c1", public_records=1)
    for day, in_default in ((JUNE, False), (after(1), True), (after(2), False)):
        reason = {"default_on": MARCH, "default_reason": "manual"} if in_default else {}
        portfolio.state("c1", day=day, is_default=in_default, **reason)
        verdict.settle(BOOK, day)
        evaluate(BOOK, day)
        [warning] = list_warnings(BOOK, rule_id="court_enforcement")
        assert warning.after_default is in_default
