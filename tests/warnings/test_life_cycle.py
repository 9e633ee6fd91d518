"""The life of a warning over several runs."""

from __future__ import annotations

from datetime import date, timedelta

import psycopg
import pytest

from creditops.errors import CreditOpsError, DataRefusedError, UsageError
from creditops.warehouse import connect
from creditops.warnings import (
    acknowledge,
    evaluate,
    events_of,
    list_warnings,
    load_rules,
    mark_false_alarm,
    resolve,
    snapshot_sql,
    start_response,
)
from tests.warnings.portfolio import BOOK, JUNE, Portfolio, after

TABLES = ("early_warnings", "warning_events", "warning_states", "warning_runs", "warning_rules")


def late(portfolio: Portfolio, *, dpd: int, customer: str = "c1") -> None:
    """Build the day: ``customer`` was current a month before and is ``dpd`` days past due now."""
    portfolio.clear()
    portfolio.facility(customer, 1)
    portfolio.facility(customer, dpd=dpd, overdue_amount=100 if dpd else 0)


def state() -> dict[str, str | None]:
    """Checksum of every table of the life cycle."""
    with connect("publisher") as connection:
        return {
            table: connection.execute(
                f"select md5(string_agg(r::text, '|' order by r::text)) from actions.{table} as r"
            ).fetchone()[0]  # type: ignore[index]
            for table in TABLES
        }


def events(warning_id: str) -> list[str]:
    return [event["event"] for event in events_of(BOOK, warning_id)]


def test_running_a_day_twice_changes_nothing(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    first = evaluate(BOOK, JUNE)
    before = state()
    second = evaluate(BOOK, JUNE)
    assert state() == before
    assert (first.hits, first.raised, first.open) == (second.hits, second.raised, second.open)
    assert first.open == {"red": 0, "orange": 1, "yellow": 0}


def test_system_events_carry_the_evaluated_day_and_not_the_clock(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK)
    [event] = events_of(BOOK, warning.warning_id)
    assert event["event_at"].isoformat() == "2026-06-30T15:59:59+00:00"  # 23:59:59 in Shanghai
    assert (event["event"], event["actor"], event["as_of_date"]) == ("raised", "system", JUNE)


def test_a_customer_has_one_open_warning_per_rule_with_its_worst_facility(portfolio: Portfolio) -> None:
    for facility, dpd, overdue in (("a", 40, 500), ("b", 70, 100), ("c", 80, 300), ("d", 10, 900)):
        portfolio.facility("c1", 1, facility_id=facility)
        portfolio.facility("c1", facility_id=facility, dpd=dpd, overdue_amount=overdue)
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK)
    assert (warning.facility_id, warning.severity) == ("c", "red")
    assert warning.evidence["facilities_hit"] == 4


def test_a_warning_clears_only_after_the_condition_is_off_in_two_runs(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK)
    late(portfolio, dpd=0)
    assert evaluate(BOOK, after(1)).cleared == 0
    assert list_warnings(BOOK)[0].last_seen_on == JUNE
    late(portfolio, dpd=45)
    evaluate(BOOK, after(2))
    assert list_warnings(BOOK)[0].warning_id == warning.warning_id
    late(portfolio, dpd=0)
    evaluate(BOOK, after(3))
    assert evaluate(BOOK, after(4)).cleared == 1
    assert list_warnings(BOOK) == []
    assert list_warnings(BOOK, status="resolved")[0].warning_id == warning.warning_id
    assert events(warning.warning_id) == ["raised", "cleared"]


def test_a_cleared_warning_that_comes_back_is_a_new_one(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    late(portfolio, dpd=0)
    evaluate(BOOK, after(1))
    evaluate(BOOK, after(2))
    late(portfolio, dpd=40)
    evaluate(BOOK, after(3))
    assert len(list_warnings(BOOK, status="all")) == 2
    assert list_warnings(BOOK)[0].first_seen_on == after(3)


def test_severity_rises_and_does_not_fall_while_a_warning_is_open(portfolio: Portfolio) -> None:
    severities = []
    for day, dpd in enumerate((10, 40, 20, 70)):
        late(portfolio, dpd=dpd)
        evaluate(BOOK, after(day))
        severities.append(list_warnings(BOOK)[0].severity)
    assert severities == ["yellow", "orange", "orange", "red"]
    [warning] = list_warnings(BOOK)
    assert events(warning.warning_id) == ["raised", "severity_raised", "severity_raised"]
    assert events_of(BOOK, warning.warning_id)[2]["reason"] == "orange to red"


def test_a_past_day_is_evaluated_for_its_own_snapshot_only(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, after(10))
    before = state()
    late(portfolio, dpd=70)
    summary = evaluate(BOOK, after(5))
    assert summary.restated
    now = state()
    assert all(now[table] == before[table] for table in ("early_warnings", "warning_events", "warning_rules"))
    assert snapshot(after(5)) == [("red", "raised")]
    assert snapshot(after(10)) == [("orange", "raised")]
    late(portfolio, dpd=40)
    evaluate(BOOK, after(10))
    assert list_warnings(BOOK)[0].first_seen_on == after(10)


def test_a_backfilled_past_continues_from_one_backfilled_day_to_the_next(portfolio: Portfolio) -> None:
    late(portfolio, dpd=0)
    evaluate(BOOK, after(20))
    late(portfolio, dpd=40)
    for day in (3, 4):
        assert evaluate(BOOK, after(day)).restated
    assert evaluate(BOOK, after(4)).raised == 0
    assert snapshot(after(4)) == [("orange", "raised")]
    assert list_warnings(BOOK) == []


def test_the_snapshot_keeps_what_a_past_publication_showed(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    late(portfolio, dpd=0)
    evaluate(BOOK, after(1))
    evaluate(BOOK, after(2))
    assert snapshot(JUNE) == [("orange", "raised")]
    assert snapshot(after(2)) == [("orange", "resolved")]


def snapshot(day: date) -> list[tuple[str, str]]:
    with connect("publisher") as connection:
        rows = connection.execute(snapshot_sql(BOOK, day)).fetchall()
    return [(row[5], row[8]) for row in rows]


def test_a_person_s_acts_are_events_and_outlive_the_next_runs(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK)
    acknowledge(BOOK, warning.warning_id, actor="Credit Officer")
    acted = state()
    evaluate(BOOK, JUNE)
    assert state() == acted
    assert snapshot(JUNE) == [("orange", "acknowledged")]
    start_response(BOOK, warning.warning_id, actor="Credit Officer", reason="visit on Friday")
    evaluate(BOOK, after(1))
    assert list_warnings(BOOK)[0].status == "in_response"
    resolve(BOOK, warning.warning_id, actor="Credit Officer", reason="paid in full")
    evaluate(BOOK, after(1))
    assert list_warnings(BOOK) == []
    assert events(warning.warning_id) == ["raised", "acknowledged", "in_response", "resolved"]


def test_a_false_alarm_keeps_the_rule_quiet_until_its_quiet_days_are_over(portfolio: Portfolio) -> None:
    quiet_days = next(rule.quiet_days for rule in load_rules() if rule.id == "dpd_rolled_forward")
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK)
    mark_false_alarm(BOOK, warning.warning_id, actor="Credit Officer", reason="bank holiday")
    assert evaluate(BOOK, after(1)).raised == 0
    assert evaluate(BOOK, after(quiet_days - 1)).raised == 0
    assert evaluate(BOOK, after(quiet_days)).raised == 1


def test_a_quiet_rule_speaks_up_when_it_gets_worse(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    mark_false_alarm(BOOK, list_warnings(BOOK)[0].warning_id, actor="Credit Officer", reason="bank holiday")
    late(portfolio, dpd=70)
    assert evaluate(BOOK, after(1)).open["red"] == 1


def test_an_act_needs_a_name_a_reason_to_close_and_a_fitting_status(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK)
    with pytest.raises(UsageError, match="nobody"):
        acknowledge(BOOK, warning.warning_id, actor="System")
    with pytest.raises(UsageError, match="reason"):
        resolve(BOOK, warning.warning_id, actor="Credit Officer", reason=" ")
    with pytest.raises(UsageError, match="no warning"):
        acknowledge(BOOK, "w0", actor="Credit Officer")
    resolve(BOOK, warning.warning_id, actor="Credit Officer", reason="paid")
    with pytest.raises(UsageError, match="is resolved"):
        acknowledge(BOOK, warning.warning_id, actor="Credit Officer")


def test_a_correction_of_the_day_withdraws_what_only_the_wrong_data_raised(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK)
    late(portfolio, dpd=0)
    evaluate(BOOK, JUNE)
    assert list_warnings(BOOK) == []
    assert snapshot(JUNE) == []
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    assert list_warnings(BOOK)[0].warning_id == warning.warning_id
    assert events(warning.warning_id) == ["raised", "withdrawn", "reopened"]
    times = [event["event_at"] for event in events_of(BOOK, warning.warning_id)]
    assert times == sorted(set(times))


def test_a_correction_of_the_day_takes_back_a_rise_and_an_off_run(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK)
    late(portfolio, dpd=70)
    evaluate(BOOK, after(1))
    late(portfolio, dpd=45)
    evaluate(BOOK, after(1))
    assert list_warnings(BOOK)[0].severity == "orange"
    assert events(warning.warning_id) == ["raised", "severity_raised", "severity_corrected"]
    late(portfolio, dpd=0)
    for _ in range(3):
        evaluate(BOOK, after(2))
    assert len(list_warnings(BOOK)) == 1


def test_warnings_of_a_rule_no_longer_in_force_expire(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    rule = next(rule for rule in load_rules() if rule.id == "dpd_rolled_forward")
    ending = rule.model_copy(update={"valid_to": JUNE})
    evaluate(BOOK, JUNE, rules=[ending])
    [warning] = list_warnings(BOOK)
    assert evaluate(BOOK, after(1), rules=[ending]).expired == 1
    assert events(warning.warning_id) == ["raised", "expired"]


def test_a_rule_that_changed_without_a_new_version_is_refused(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    rule = next(rule for rule in load_rules() if rule.id == "dpd_rolled_forward")
    evaluate(BOOK, JUNE, rules=[rule])
    changed = rule.model_copy(update={"condition": "dpd > 0"})
    with pytest.raises(CreditOpsError, match="version 1 is not what it was"):
        evaluate(BOOK, after(1), rules=[changed])
    other_words = rule.model_copy(update={"text": rule.text.model_copy(update={"en": "Late again."})})
    with pytest.raises(CreditOpsError, match="version 1 is not what it was"):
        evaluate(BOOK, after(1), rules=[other_words])
    evaluate(BOOK, after(1), rules=[changed.model_copy(update={"version": 2})])
    assert list_warnings(BOOK)[0].rule_version == 2


def test_a_missing_build_is_refused_instead_of_clearing_every_warning(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    before = state()
    with pytest.raises(DataRefusedError, match="fct_facility_month has no row"):
        evaluate(BOOK, JUNE + timedelta(days=40))
    assert state() == before


def test_a_month_without_invoices_is_not_taken_for_a_missing_build(portfolio: Portfolio) -> None:
    july = date(2026, 7, 31)
    portfolio.sales("c1", 0, 1000, invoices=20, void=8)
    for day in (JUNE, july):
        portfolio.firm("c1", day=day)
    rules = {"sme_void_rate", "sme_buyer_concentration"}
    evaluate(BOOK, JUNE)
    assert {warning.rule_id for warning in list_warnings(BOOK)} == rules
    evaluate(BOOK, july)
    assert {warning.rule_id for warning in list_warnings(BOOK)} == rules
    with pytest.raises(DataRefusedError, match="feat_sme_invoice has no row"):
        evaluate(BOOK, date(2026, 8, 31))


def test_rules_whose_tables_are_missing_are_skipped_and_their_warnings_wait(portfolio: Portfolio) -> None:
    portfolio.bureau("c1", public_records=1)
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    with connect("builder") as connection:
        connection.execute("alter table marts.fct_bureau_month rename to fct_bureau_month_gone")
    for day in (1, 2, 3):
        summary = evaluate(BOOK, after(day))
    assert summary.skipped["court_enforcement"] == "there is no table marts.fct_bureau_month"
    assert {w.rule_id for w in list_warnings(BOOK)} == {"court_enforcement", "dpd_rolled_forward"}


def test_events_are_append_only(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    for statement in ("update actions.warning_events set reason = ''", "delete from actions.warning_events"):
        with connect("publisher") as connection, pytest.raises(psycopg.Error, match="append-only"):
            connection.execute(statement)


def test_another_book_s_warnings_stay_as_they_are(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    portfolio.facility("c1", 1, book="other")
    portfolio.facility("c1", book="other", dpd=70)
    evaluate("other", JUNE)
    late(portfolio, dpd=0)
    evaluate(BOOK, after(1))
    evaluate(BOOK, after(2))
    assert list_warnings(BOOK) == []
    assert [w.severity for w in list_warnings("other")] == ["red"]


def test_a_warning_that_nobody_acknowledges_in_time_is_escalated_once(portfolio: Portfolio) -> None:
    late(portfolio, dpd=70)
    evaluate(BOOK, JUNE)
    evaluate(BOOK, after(6))
    assert list_warnings(BOOK)[0].escalated_on is None
    for day in (7, 7, 9):
        evaluate(BOOK, after(day))
    [warning] = list_warnings(BOOK)
    assert warning.escalated_on == after(7)
    assert events(warning.warning_id) == ["raised", "escalated"]
    assert events_of(BOOK, warning.warning_id)[1]["reason"] == "nobody acknowledged it in 7 days"


def test_an_acknowledged_warning_is_not_escalated(portfolio: Portfolio) -> None:
    late(portfolio, dpd=40)
    evaluate(BOOK, JUNE)
    [warning] = list_warnings(BOOK)
    acknowledge(BOOK, warning.warning_id, actor="Credit Officer")
    evaluate(BOOK, after(20))
    assert list_warnings(BOOK)[0].escalated_on is None
    assert events(warning.warning_id) == ["raised", "acknowledged"]


def test_a_yellow_warning_is_waited_for_longer_than_a_red_one(portfolio: Portfolio) -> None:
    late(portfolio, dpd=10)
    evaluate(BOOK, JUNE)
    evaluate(BOOK, after(29))
    assert list_warnings(BOOK)[0].escalated_on is None
    late(portfolio, dpd=70)
    evaluate(BOOK, after(30))
    [warning] = list_warnings(BOOK)
    assert (warning.severity, warning.escalated_on) == ("red", after(30))


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(UsageError, match="no warning has status 'closed'"):
        list_warnings(BOOK, status="closed")
