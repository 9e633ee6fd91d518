"""What must not be said of one customer at once, held against published rows in a real warehouse."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from psycopg import sql
from pydantic import ValidationError

from creditops.quality.coherence import Coherence, contradictions, load_coherence, relations_of
from creditops.quality.gate import check_coherence
from creditops.warehouse import connect

JUNE = date(2026, 6, 30)
GOOD: dict[str, Any] = {
    "class5": "pass", "exposure": 100, "expected_loss": 1, "grade": "2", "pd": 0.01, "in_default": False,
    "open_facilities": 1, "dpd": 0, "overdue_amount": 0, "worst_dpd_12m": 0, "open_warnings_red": 0,
    "facilities_in_default": 0,
}  # fmt: skip
BAD: dict[str, Any] = {
    **GOOD, "class5": "substandard", "grade": "D", "pd": 1, "in_default": True, "expected_loss": 60,
    "default_reason": "contagion_elsewhere", "facilities_in_default": 1, "open_warnings_red": 1,
}  # fmt: skip


class Published:
    """Writes rows of one candidate; what a test does not say is coherent."""

    def __init__(self, publication_id: str) -> None:
        self.publication_id = publication_id
        with connect("publisher") as connection:
            connection.execute(
                "insert into ops.publication_history"
                " (publication_id, book, as_of_date, known_at, code_version, models)"
                " values (%s, 'demo', %s, now(), '1', '[]')",
                (publication_id, JUNE),
            )

    def insert(self, table: str, **values: Any) -> None:
        row = {"publication_id": self.publication_id, "as_of_date": JUNE, "book": "demo", **values}
        with connect("publisher") as connection:
            connection.execute(
                sql.SQL("insert into published.{} ({}) values ({})").format(
                    sql.Identifier(table),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() * len(row)),
                ),
                list(row.values()),
            )

    def customer(self, customer_id: str, facts: dict[str, Any]) -> None:
        self.insert("customer_360", customer_id=customer_id, **facts)
        self.insert(
            "customer_scores", customer_id=customer_id, scorecard="card", grade=facts["grade"], pd=facts["pd"]
        )
        if facts["in_default"]:
            self.warning(customer_id, severity="red", rule_id="customer_in_default", after_default=True)

    def warning(self, customer_id: str, **values: Any) -> None:
        row = {"severity": "red", "status": "raised", "rule_id": "r", "after_default": False, **values}
        self.insert(
            "early_warnings", customer_id=customer_id, warning_id=f"w-{customer_id}-{row['rule_id']}", **row
        )

    def found(self) -> dict[str, list[str]]:
        return {each.check: each.examples for each in check_coherence(self.publication_id) if not each.passed}


@pytest.fixture
def published(module_warehouse: str, request: pytest.FixtureRequest) -> Published:
    return Published(request.node.name)


def test_a_coherent_publication_passes(published: Published) -> None:
    published.customer("good", GOOD)
    published.customer("bad", BAD)
    published.insert("handover_sales", customer_id="good", status="cleared", available_limit=50)
    published.insert("handover_sales", customer_id="bad", status="stopped", available_limit=0)
    published.insert("customer_credit_health", customer_id="bad", band="poor", helps_en="")
    published.insert("credit_limits", customer_id="bad", product_id="P", current_limit=9, recommended_limit=0,
                     inputs='{"grade": "D"}')  # fmt: skip
    assert published.found() == {}


def test_substandard_with_a_good_grade_and_a_clearance_is_named_with_the_customer(
    published: Published,
) -> None:
    published.customer("c1", {**GOOD, "class5": "substandard", "class_reason": "contagion_elsewhere"})
    published.insert("handover_sales", customer_id="c1", status="cleared", available_limit=50)
    found = published.found()
    assert set(found) == {
        "五级分类为次级及以下，却没有违约授信"
        " / classed substandard or worse, yet without a facility in default",
        "五级分类为次级及以下，却销售放行 / classed substandard or worse, yet cleared for sales",
    }
    assert found[
        "五级分类为次级及以下，却销售放行 / classed substandard or worse, yet cleared for sales"
    ] == [
        "customer_id=c1: classed substandard or worse (class5=substandard, class_reason=contagion_elsewhere),"
        " yet cleared for sales"
    ]


def test_default_is_neither_graded_nor_lengthened_nor_left_without_a_red_warning(
    published: Published,
) -> None:
    published.insert(
        "customer_360", customer_id="c1", **{**BAD, "grade": "3", "pd": 0.0097, "open_warnings_red": 0}
    )
    published.insert("customer_scores", customer_id="c1", scorecard="card", grade="3", pd=0.0097)
    published.insert("credit_limits", customer_id="c1", product_id="P", current_limit=100,
                     recommended_limit=17, current_terms=30, recommended_terms=60,
                     inputs='{"grade": "3"}')  # fmt: skip
    told = {check.split(" / ")[1] for check in published.found()}
    assert told == {
        "in default, yet graded 1 to 10",
        "in default, yet with a PD below 1",
        "with a default and a facility open, yet without any red warning, open or closed",
        "in default, or with a facility in default, yet with longer terms",
        "in default, yet with a limit above zero recommended",
        "in default, yet with a limit worked out on grades 1 to 10",
        "with a limit cut, yet with longer terms",
    }


def test_a_facility_in_default_below_the_pulling_share_leaves_the_person_graded_and_uncleared(
    published: Published,
) -> None:
    part = {**GOOD, "class5": "substandard", "default_reason": "past_due", "facilities_in_default": 1,
            "open_warnings_red": 1}  # fmt: skip
    published.customer("c1", part)
    published.warning("c1", rule_id="customer_in_default", after_default=True)
    published.insert("credit_limits", customer_id="c1", product_id="A", current_limit=100,
                     recommended_limit=0, inputs='{"grade": "D", "in_default": true}')  # fmt: skip
    published.insert("credit_limits", customer_id="c1", product_id="B", current_limit=100,
                     recommended_limit=100, inputs='{"grade": "2", "in_default": false}')  # fmt: skip
    published.insert("handover_sales", customer_id="c1", status="limited", available_limit=0)
    assert published.found() == {}

    published.insert("credit_limits", customer_id="c1", product_id="C", current_limit=100,
                     recommended_limit=50, inputs='{"grade": "2", "in_default": true}')  # fmt: skip
    published.customer("c2", part)
    published.insert("handover_sales", customer_id="c2", status="cleared", available_limit=5)
    assert {
        "with a facility of the product in default, yet with a limit above zero recommended",
        "with a facility of the product in default, yet with a limit worked out on grades 1 to 10",
        "in default, or with a facility in default, yet cleared for sales",
        "in default, or with a facility in default, yet with a limit free to draw",
    } <= {check.split(" / ")[1] for check in published.found()}


def test_a_limit_of_one_product_may_be_cut_and_terms_of_another_stay(published: Published) -> None:
    published.customer("c1", GOOD)
    for product, recommended, terms in (("A", 50, 30), ("B", 100, 60)):
        published.insert("credit_limits", customer_id="c1", product_id=product, current_limit=100,
                         recommended_limit=recommended, current_terms=30, recommended_terms=terms,
                         inputs='{"grade": "2"}')  # fmt: skip
    assert published.found() == {}


def test_who_left_is_neither_warned_of_nor_to_be_suspended(published: Published) -> None:
    published.customer("c1", {**GOOD, "open_facilities": 0, "exposure": 0, "open_warnings_red": 1})
    published.warning("c1")
    published.insert("proposed_actions", action_id="a1", customer_id="c1", kind="suspend", status="proposed")
    assert {check.split(" / ")[1] for check in published.found()} == {
        "without an open facility and owing nothing, yet with a warning open",
        "without an open facility and owing nothing, yet with a response proposed",
    }


def test_a_figure_told_twice_is_the_same(published: Published) -> None:
    published.customer("c1", {**GOOD, "open_warnings_red": 2})
    published.warning("c1")
    found = published.found()
    assert found["未关闭红色预警数在两处不一致 / red warnings open differs between two places"] == [
        "customer_id=c1: 2 and 1"
    ]


def test_the_table_names_no_state_that_is_not_there_and_none_in_vain() -> None:
    table = load_coherence()
    assert len(table.pairs) > 40
    with pytest.raises(ValidationError, match="states that are not there: nobody"):
        Coherence.model_validate({"states": {}, "pairs": [{"left": "nobody", "right": "nobody"}]})
    with pytest.raises(ValidationError, match="no pair names: idle"):
        Coherence.model_validate(
            {"states": {"idle": {"zh": "闲置", "en": "idle", "query": "select 1"}}, "pairs": []}
        )


@pytest.mark.usefixtures("module_warehouse")
def test_every_query_of_the_table_runs_where_nothing_is_published() -> None:
    with connect("publisher") as connection:
        found = contradictions(connection, relations_of("none"))
        assert all(each.found == 0 for each in found)
    assert all(each.zh and each.en for each in found)
