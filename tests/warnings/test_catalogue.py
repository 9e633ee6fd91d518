"""Every shipped rule on a customer that it must warn of and on one that it must not."""

from __future__ import annotations

import json
from datetime import date

import pytest

from creditops.expressions import compile_expression
from creditops.warehouse import connect
from creditops.warehouse.layers import LIVE_SCHEMAS
from creditops.warnings import EarlyWarning, evaluate, list_warnings, load_rules
from creditops.warnings.compiler import compile_hits
from creditops.warnings.subject import load_subjects
from tests.warnings.portfolio import BOOK, JUNE, Portfolio

MARCH = date(2026, 3, 31)


def hit_and_miss(p: Portfolio) -> None:
    """For each rule a customer ``<rule>.hit`` and one or more ``<rule>.miss...`` just beside it."""
    roll = "dpd_rolled_forward"
    p.facility(f"{roll}.hit", 1, dpd=20)
    p.facility(f"{roll}.hit", dpd=50, overdue_amount=300)
    p.facility(f"{roll}.miss", 1, dpd=40)
    p.facility(f"{roll}.miss", dpd=55)
    p.facility(f"{roll}.miss_default", 1, dpd=100, is_default=True)
    p.facility(f"{roll}.miss_default", dpd=130, is_default=True)

    first = "first_payment_default"
    for customer, paid_first in ((f"{first}.hit", False), (f"{first}.miss", True)):
        p.facility(customer, 2, mob=1, amount_due=100, amount_paid=100 if paid_first else 0, dpd=11)
        p.facility(customer, 1, mob=2, amount_due=100, amount_paid=0, dpd=42 if not paid_first else 11)
        p.facility(customer, 0, mob=3, amount_due=100, amount_paid=0, dpd=72 if not paid_first else 41)
        p.first_payment(customer, date(2026, 4, 19), date(2026, 4, 30) if paid_first else None)

    p.state("customer_in_default.hit", is_default=True, default_on=MARCH, default_reason="contagion_here")
    p.state("customer_in_default.miss", class5="special_mention")

    for months in range(3):
        p.facility("utilisation_high_3m.hit", months, balance=9100 + 300 * months)
        p.facility("utilisation_high_3m.miss", months, balance=9500 - 300 * months)
        p.facility("utilisation_high_3m.miss_loan", months, balance=9900, product_type="instalment_loan")
        if months < 2:
            p.facility("utilisation_high_3m.miss_new", months, balance=9900, mob=1)
    p.facility("limit_excess.hit", balance=10001)
    p.facility("limit_excess.miss", balance=10000)

    for months in range(4):
        for name, paid, state in (("hit", 300, 0), ("miss", 900, 0), ("miss_late", 300, 1)):
            p.facility(
                f"minimum_payments_only.{name}", months, balance=6000, amount_paid=paid, repayment_state=state
            )

    p.behaviour("repeated_lateness.hit", months_overdue_6m=3)
    p.behaviour("repeated_lateness.miss", months_overdue_6m=2)
    p.behaviour("repeated_lateness.miss_default", months_overdue_6m=6, dpd_now=120)
    short = {"payment_ratio_6m": 0.9, "overdue_amount_now": 50}
    p.behaviour("payments_falling_short.hit", payment_ratio_3m=0.4, **short)
    p.behaviour("payments_falling_short.miss", payment_ratio_3m=0.7, **short)

    p.bureau("bureau_new_delinquency.hit", 3, bureau_worst_3m=1)
    p.bureau("bureau_new_delinquency.hit", bureau_worst_3m=2)
    p.bureau("bureau_new_delinquency.miss", 3, bureau_worst_3m=3)
    p.bureau("bureau_new_delinquency.miss", bureau_worst_3m=3)
    p.bureau("bureau_new_delinquency.miss_first_report", bureau_worst_3m=3)
    p.bureau("bureau_hard_inquiries.hit", inquiries_3m=4)
    p.bureau("bureau_hard_inquiries.miss", inquiries_3m=3)
    p.bureau("bureau_hard_inquiries.miss_no_hit", inquiries_3m=9, bureau_hit=False)
    for name, exposure in (("hit", 75000), ("miss", 74999)):
        p.bureau(f"bureau_exposure_surge.{name}", 6)
        p.bureau(f"bureau_exposure_surge.{name}", bureau_exposure=exposure)
    p.bureau("court_enforcement.hit", public_records=1)
    p.bureau("court_enforcement.miss")
    p.bureau("court_enforcement.miss_known", 3, public_records=2)
    p.bureau("court_enforcement.miss_known", public_records=2)
    p.bureau("overdue_elsewhere.miss_known", 3, overdue_elsewhere=900)
    p.bureau("overdue_elsewhere.miss_known", overdue_elsewhere=1000)
    p.bureau("overdue_elsewhere.hit", overdue_elsewhere=101)
    p.bureau("overdue_elsewhere.miss", overdue_elsewhere=100)

    p.statement("z_enters_distress.hit", 6, z2_score=1.2)
    p.statement("z_enters_distress.hit", z2_score=1.09)
    p.statement("z_enters_distress.miss", 6, z2_score=0.9)
    p.statement("z_enters_distress.miss", z2_score=0.9)
    p.statement("interest_cover_low.hit", interest_cover=1.49)
    p.statement("interest_cover_low.miss", interest_cover=1.5)
    p.statement("interest_cover_low.miss_no_interest", interest_cover=None)
    p.statement("sales_down.hit", sales_growth_yoy=-0.3)
    p.statement("sales_down.miss", sales_growth_yoy=-0.29)
    for name, days in (("hit", 90.0), ("miss", 89.0)):
        p.statement(f"receivable_days_up.{name}", 12)
        p.statement(f"receivable_days_up.{name}", receivable_days=days)
    for name, before in (("hit", -0.1), ("miss", 0.1)):
        p.statement(f"cash_flow_negative.{name}", 3, cfo_to_debt=before)
        p.statement(f"cash_flow_negative.{name}", cfo_to_debt=-0.05)
    same = {"cfo_to_debt": -0.1, "statement_period_end": MARCH}
    p.statement("cash_flow_negative.miss_same_statement", 3, **same)
    p.statement("cash_flow_negative.miss_same_statement", **same)
    p.statement("auditor_qualified.hit", opinion="qualified")
    p.statement("auditor_qualified.miss", opinion="emphasis")
    p.statement("auditor_qualified.miss_not_audited")
    p.promise("broken_promise.hit", date(2026, 6, 10), 100, 99)
    p.promise("broken_promise.miss", date(2026, 6, 10), 100, 100)
    p.promise("broken_promise.miss_running", JUNE, 100, 0)
    p.promise("broken_promise.miss_long_ago", date(2026, 5, 30), 100, 0)
    p.statement("statement_late.hit", statement_age_months=10)
    p.statement("statement_late.miss", statement_age_months=9)

    p.score("score_deterioration.hit", MARCH, 600, 0.02, "4")
    p.score("score_deterioration.hit", JUNE, 560, 0.03, "5")
    p.score("score_deterioration.miss", MARCH, 600, 0.02, "4")
    p.score("score_deterioration.miss", JUNE, 561, 0.039, "5")
    p.score("score_deterioration.miss_new_model", MARCH, 600, 0.02, "4")
    p.score("score_deterioration.miss_new_model", JUNE, 540, 0.079, "6", model="2")
    p.score("grade_down.miss_new_model", MARCH, 600, 0.02, "4")
    p.score("grade_down.miss_new_model", JUNE, 560, 0.07, "7", model="2")
    p.score("grade_down.hit", MARCH, 600, 0.02, "9")
    p.score("grade_down.hit", JUNE, 590, 0.03, "D")
    p.score("grade_down.miss_older", date(2025, 9, 30), 600, 0.02, "1")
    p.score("grade_down.miss_older", JUNE, 600, 0.03, "9")
    p.score("grade_down.miss", MARCH, 600, 0.02, "9")
    p.score("grade_down.miss", JUNE, 590, 0.03, "10")

    for name, defaulted in (("hit", False), ("miss_itself", True)):
        customer = f"group_member_in_default.{name}"
        p.customer(customer, group_id="G1")
        p.facility(customer, dpd=95 if defaulted else 0, is_default=defaulted)
        p.facility(customer, 1, dpd=91 if defaulted else 0, is_default=defaulted)
    p.customer("group_member_in_default.miss", group_id="G2")
    p.facility("group_member_in_default.miss")


def hit_and_miss_of_business(p: Portfolio) -> None:
    """The same for the rules on invoices, trade credit, industries and partners."""
    p.firm("sme_sales_down.hit")
    for months in range(12):
        recent = months < 3
        p.sales("sme_sales_down.hit", months, 70 if recent else 100)
        p.sales("sme_sales_down.miss", months, 71 if recent else 100)
        if months < 5:
            p.sales("sme_sales_down.miss_new", months, 10 if recent else 100)
        p.sales("sme_void_rate.hit", months, 100, invoices=10, void=2 if recent else 0)
        p.sales("sme_void_rate.miss", months, 100, invoices=10, void=1)
        for name, amount in (("hit", 103), ("miss", 100)):
            p.sales(f"sme_buyer_concentration.{name}", months, amount)
            p.sales(f"sme_buyer_concentration.{name}", months, 100, buyer="b2")
        for name, buyer in (("hit", "group_member_in_default.miss_itself"), ("miss", "buyer_sound")):
            p.sales(f"buyer_in_default.{name}", months, 12, buyer=buyer)
            p.sales(f"buyer_in_default.{name}", months, 44)
            p.sales(f"buyer_in_default.{name}", months, 44, buyer="b2")
    for months in range(3, 9):
        p.sales("sme_invoicing_stopped.hit", months, 100)
        p.sales("sme_invoicing_stopped.miss", months - 1, 100)
    p.sales("sme_invoicing_stopped.miss_once", 8, 100)
    p.facility("buyer_sound")
    for name, days in (("hit", 20), ("miss", 19)):
        p.trade(f"trade_dbt_up.{name}", 3)
        p.trade(f"trade_dbt_up.{name}", dbt_days_3m=days)
    p.trade("trade_dbt_up.miss_few", 3, invoices_due_3m=1)
    p.trade("trade_dbt_up.miss_few", dbt_days_3m=90)
    p.trade("trade_disputes.hit", disputed_3m=2)
    p.trade("trade_disputes.miss", disputed_3m=1)
    for industry, value in (("falling", 90), ("steady", 90.1)):
        p.series(f"index_{industry}", 7, 100, industry=industry)
        p.series(f"index_{industry}", 1, value, industry=industry)
    p.customer("industry_down.hit", customer_type="corporate", industry="falling")
    p.customer("industry_down.miss", customer_type="corporate", industry="steady")
    p.series("pmi_manufacturing", 1, 48)
    p.series("gdp_yoy", 1, 0.04)
    for name, debt in (("hit", 0.71), ("miss", 0.7)):
        p.customer(f"macro_downturn.{name}", customer_type="corporate")
        p.statement(f"macro_downturn.{name}", debt_to_assets=debt, interest_cover=2.0)
    for number in range(30):
        partner, unpaid = ("p1", number < 3) if number < 10 else ("p2", False)
        name = {0: "partner_fpd_high.hit", 10: "partner_fpd_high.miss"}.get(number, f"partner.{number}")
        opened = {"partner_id": partner, "opened_on": date(2026, 3, 20)}
        for months in range(3):
            dpd = 72 - 30 * months if unpaid else 0
            p.facility(name, months, mob=3 - months, dpd=dpd, product_type="instalment_loan", **opened)
        p.first_payment(name, date(2026, 4, 19), None if unpaid else date(2026, 4, 19), **opened)


@pytest.fixture(scope="module")
def warned(module_portfolio: Portfolio) -> list[EarlyWarning]:
    hit_and_miss(module_portfolio)
    hit_and_miss_of_business(module_portfolio)
    summary = evaluate(BOOK, JUNE)
    assert summary.skipped == {}
    warnings = list_warnings(BOOK, limit=1000)
    assert summary.hits == summary.raised == len(warnings)
    return warnings


@pytest.mark.parametrize("rule_id", [rule.id for rule in load_rules()])
def test_a_rule_warns_where_it_must_and_only_there(warned: list[EarlyWarning], rule_id: str) -> None:
    warned_by_rule = {w.customer_id for w in warned if w.rule_id == rule_id}
    own = {customer for customer in warned_by_rule if customer.startswith(f"{rule_id}.")}
    assert own == {f"{rule_id}.hit"}


def test_the_evidence_of_a_warning_gives_its_decision_again(warned: list[EarlyWarning]) -> None:
    """Population and condition, evaluated on the kept evidence alone, hold for every warning."""
    rules = {rule.id: rule for rule in load_rules()}
    with connect("publisher") as connection:
        kinds = column_types()
        for warning in warned:
            rule = rules[warning.rule_id]
            columns = set(load_subjects()[rule.subject].columns)
            thresholds = warning.evidence.get("thresholds", {})
            parts = [
                compile_expression(text, columns=columns, parameters=thresholds, where="")
                for text in (rule.population, rule.condition)
            ]
            read = sorted({column for part in parts for column in part.columns})
            assert set(read) <= set(warning.evidence)
            record = ", ".join(f"{column} {kinds[rule.subject, column]}" for column in read)
            decision = " and ".join(f"({part.sql})" for part in parts)
            row = connection.execute(
                f"select {decision} from jsonb_to_record(%s::jsonb) as evidence ({record})",
                (json.dumps(warning.evidence),),
            ).fetchone()
            assert row == (True,), warning


def column_types() -> dict[tuple[str, str], str]:
    """SQL type of every column of every subject, as the subjects' queries give them."""
    rules = load_rules()
    kinds: dict[tuple[str, str], str] = {}
    with connect("publisher") as connection:
        for name in load_subjects():
            one = [rule for rule in rules if rule.subject == name][:1]
            query = compile_hits(one, load_subjects(), book=BOOK, as_of=JUNE, schemas=LIVE_SCHEMAS).split(
                "hit as (\n"
            )[0]
            cursor = connection.execute(f"{query.rstrip().rstrip(',')} select * from {name} limit 0")
            assert cursor.description is not None
            for column in cursor.description:
                kind = connection.execute("select format_type(%s, null)", (column.type_code,)).fetchone()
                assert kind is not None
                kinds[name, column.name] = kind[0]
            assert {column.name for column in cursor.description} == set(load_subjects()[name].columns)
    return kinds


def test_texts_show_figures_in_the_reader_s_form(warned: list[EarlyWarning]) -> None:
    texts = {w.customer_id: (w.text_zh, w.text_en) for w in warned if w.customer_id.startswith(w.rule_id)}
    assert texts["dpd_rolled_forward.hit"] == (
        "逾期50天，由M1恶化至M2，逾期金额300。",
        "50 days past due, rolled from M1 to M2; 300 overdue.",
    )
    assert texts["utilisation_high_3m.hit"][1] == (
        "Utilisation above 90.0% for three months; lowest 91.0%, now 91.0%."
    )
    assert texts["sales_down.hit"][0] == "营业收入同比-30.0%，应收账款周转60天。"


def test_severity_follows_the_first_step_that_holds(warned: list[EarlyWarning]) -> None:
    severities = {w.customer_id: w.severity for w in warned if w.customer_id.startswith(w.rule_id)}
    assert severities["dpd_rolled_forward.hit"] == "orange"
    assert severities["interest_cover_low.hit"] == "orange"
    assert severities["court_enforcement.hit"] == "red"
    assert severities["bureau_hard_inquiries.hit"] == "yellow"
