"""Every published warning, limit and policy verdict is worked out again from its printout."""

from __future__ import annotations

from pathlib import Path

import pytest

from creditops import limits
from creditops.limits import explanation as limit_explanation
from creditops.policy import replay
from creditops.warnings import explanation as warning_explanation
from tests.e2e.conftest import BOOK, Command, query

pytestmark = pytest.mark.e2e


def test_every_limit(published: str, creditops: Command) -> None:
    rows = query(creditops, f"select * from publish.credit_limits where book = '{BOOK}'")
    assert len(rows) > 500
    assert limits.proposals(BOOK)
    for row in rows:
        printout = limit_explanation.explain(BOOK, row["customer_id"], row["product_id"])
        for name, value in limit_explanation.recompute(printout).items():
            assert value == printout["published"][name], (row["customer_id"], row["product_id"], name)


def test_every_policy_verdict(published: str, creditops: Command) -> None:
    rows = query(creditops, f"select * from publish.policy_compliance where book = '{BOOK}'")
    assert len(rows) > 500
    assert {row["verdict"] for row in rows} == {"agree", "override_up", "override_down", "breach"}
    for row in rows[::7]:
        printout = replay.explain(BOOK, row["application_id"])
        again = replay.recompute(printout)
        assert again["replayed_decision"] == row["replayed_decision"]
        assert ", ".join(again["rules_failed"]) == row["rules_failed"]


def test_every_warning(published: str, creditops: Command) -> None:
    rows = query(creditops, f"select * from publish.early_warnings where book = '{BOOK}'")
    assert len(rows) > 50
    for row in rows[::5]:
        again = warning_explanation.recompute(warning_explanation.explain(BOOK, row["warning_id"]))
        assert again["holds"]
        assert again["severity"] == row["severity"]


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
