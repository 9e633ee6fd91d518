"""Every published warning, limit and policy verdict is worked out again from its printout."""

from __future__ import annotations

from pathlib import Path

import pytest

from creditops import limits
from creditops.assessment import assess
from creditops.limits import explanation as limit_explanation
from creditops.policy import explanation as policy_explanation
from creditops.warehouse import connect
from creditops.warnings import explanation as warning_explanation
from tests.e2e.conftest import BOOK, Command, query

pytestmark = pytest.mark.e2e


def test_every_limit(published: str, creditops: Command) -> None:
    rows = query(creditops, f"select * from publish.credit_limits where book = '{BOOK}'")
    assert len(rows) > 500
    assert limits.proposals(BOOK)
    with connect("publisher") as session:
        for row in rows:
            printout = limit_explanation.explain(BOOK, row["customer_id"], row["product_id"], session=session)
            for name, value in limit_explanation.recompute(printout).items():
                assert value == printout["published"][name], (row["customer_id"], row["product_id"], name)


def test_every_policy_verdict(published: str, creditops: Command) -> None:
    rows = query(creditops, f"select * from publish.policy_compliance where book = '{BOOK}'")
    assert len(rows) > 500
    assert {row["verdict"] for row in rows} >= {"agree", "override_down", "breach"}
    with connect("publisher") as session:
        for row in rows:
            printout = policy_explanation.explain(BOOK, row["application_id"], session=session)
            again = policy_explanation.recompute(printout, session=session)
            assert again["replayed_decision"] == row["replayed_decision"], row
            assert ", ".join(again["rules_failed"]) == row["rules_failed"], row
            assert again["verdict"] == row["verdict"], row


def test_every_warning(published: str, creditops: Command) -> None:
    rows = query(creditops, f"select * from publish.early_warnings where book = '{BOOK}'")
    assert len(rows) > 50
    with connect("publisher") as session:
        for row in rows:
            printout = warning_explanation.explain(BOOK, row["warning_id"], session=session)
            again = warning_explanation.recompute(printout, session=session)
            expected = {"holds": True, **{name: row[name] for name in again if name != "holds"}}
            assert again == expected, row


def test_the_assessment_of_a_customer_is_rendered_in_both_languages(
    published: str, creditops: Command
) -> None:
    (row,) = query(
        creditops,
        "select customer_id from publish.credit_assessment"
        f" where book = '{BOOK}' and recommendation = 'collect' order by 1 limit 1",
    )
    for lang, title in (("zh", "授信评估报告"), ("en", "Credit assessment")):
        done = creditops("assess", row["customer_id"], "--lang", lang)
        assert done.returncode == 0, done.stderr
        page = Path(done.stdout.strip()).read_text(encoding="utf-8")
        assert title in page
        assert row["customer_id"] in page
        assert published in page
        assert "http://" not in page.replace("http://www.w3.org/", "")
    missing = creditops("assess", "NOBODY")
    assert missing.returncode == 2
    assert "NOBODY" in missing.stderr


def test_assessments_of_each_kind_of_customer_show_trends_peers_and_arithmetic(
    published: str, creditops: Command
) -> None:
    rows = query(
        creditops,
        "select distinct on (assessment #>> '{exposure,main_product}') customer_id,"
        " assessment #>> '{exposure,main_product}' as product from publish.credit_assessment"
        f" where book = '{BOOK}' order by 2, (assessment #>> '{{exposure,total}}')::numeric desc",
    )
    assert {row["product"] for row in rows} == {
        "instalment_loan",
        "revolving_card",
        "term_loan",
        "trade_credit",
    }
    for row in rows:
        page = assess(BOOK, row["customer_id"], lang="en").read_text(encoding="utf-8")
        assert page.count('<svg class="chart"') >= 3, row
        assert "Step by step" in page
        assert "Beside customers whose main product is the same" in page
        if row["product"] == "term_loan":
            assert "Median of" in page
            assert "Interest cover" in page
        if row["product"] == "trade_credit":
            assert "Days sales outstanding (DSO)" in page
            assert "Receivables by age" in page
