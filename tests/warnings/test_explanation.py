"""Every warning can be explained, and its printout alone gives the published result again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditops.errors import UsageError
from creditops.warehouse import connect
from creditops.warehouse.layers import LIVE_SCHEMAS
from creditops.warnings import evaluate, list_warnings
from creditops.warnings.compiler import compile_hits
from creditops.warnings.explanation import explain, recompute
from creditops.warnings.rule import load_rules
from creditops.warnings.subject import load_subjects
from tests.warnings.portfolio import BOOK, JUNE, Portfolio, after
from tests.warnings.test_catalogue import hit_and_miss, hit_and_miss_of_business


@pytest.fixture(scope="module")
def catalogue(module_portfolio: Portfolio) -> Portfolio:
    """A hit of every rule, and severities that rose after a warning was raised."""
    hit_and_miss(module_portfolio)
    hit_and_miss_of_business(module_portfolio)
    evaluate(BOOK, JUNE)
    with connect("builder") as connection:
        connection.execute(
            "update marts.fct_facility_month set dpd = dpd + 30, bucket = 'M' || (least(7, (dpd + 59) / 30))"
            " where dpd > 0 and month_end = %s",
            (JUNE,),
        )
        connection.execute("update marts.fct_bureau_month set inquiries_3m = inquiries_3m - 1")
        connection.execute("update marts.fct_customer_state set as_of_date = %s", (after(1),))
    with connect("modeller") as connection:
        connection.execute(
            "create temporary table next as select * from scoring.customer_scores where as_of_date = %s",
            (JUNE,),
        )
        connection.execute("update next set as_of_date = %s", (after(1),))
        connection.execute("insert into scoring.customer_scores select * from next")
    evaluate(BOOK, after(1))
    return module_portfolio


def published() -> dict[str, dict[str, Any]]:
    return {each.warning_id: each.to_dict() for each in list_warnings(BOOK, status="all", limit=10_000)}


@pytest.mark.usefixtures("catalogue")
def test_the_printout_of_every_warning_gives_the_published_result_again() -> None:
    warnings = published()
    assert {each["rule_id"] for each in warnings.values()} == {rule.id for rule in load_rules()}
    assert len(warnings) >= len(load_rules())
    for warning_id, warning in warnings.items():
        printout = json.loads(json.dumps(explain(BOOK, warning_id), ensure_ascii=False, default=str))
        again = recompute(printout)
        assert again.pop("holds") is True, warning
        assert again == {name: warning[name] for name in again}, warning


@pytest.mark.usefixtures("catalogue")
def test_a_severity_that_rose_is_explained_by_the_day_on_which_it_rose() -> None:
    rolled = next(
        each for each in published().values()
        if each["rule_id"] == "dpd_rolled_forward" and each["customer_id"] == "dpd_rolled_forward.hit"
    )  # fmt: skip
    printout = explain(BOOK, rolled["warning_id"])
    assert rolled["severity"] == "red"
    assert printout["at_severity"]["day"] == str(after(1))
    assert [event["event"] for event in printout["events"]] == ["raised", "severity_raised"]
    condition = next(step for step in printout["latest"]["steps"] if step["step"] == "condition")
    assert condition == {
        "step": "condition",
        "rule": "bucket > bucket_1m",
        "with_inputs": "'M3' > 'M1'",
        "result": True,
    }


@pytest.mark.usefixtures("catalogue")
def test_a_changed_input_changes_the_recomputed_result() -> None:
    warning = next(each for each in published().values() if each["rule_id"] == "limit_excess")
    printout = explain(BOOK, warning["warning_id"])
    printout["latest"]["inputs"]["balance"] = 1
    assert recompute(printout)["holds"] is False


@pytest.mark.usefixtures("catalogue")
def test_the_columns_of_subjects_have_the_types_that_they_say() -> None:
    rules = load_rules()
    with connect("publisher") as connection:
        for name, subject in load_subjects().items():
            one = [rule for rule in rules if rule.subject == name][:1]
            query = compile_hits(one, load_subjects(), book=BOOK, as_of=JUNE, schemas=LIVE_SCHEMAS)
            ctes = query.split("hit as (\n")[0].rstrip().rstrip(",")
            cursor = connection.execute(f"{ctes} select * from {name} limit 0")  # type: ignore[arg-type]
            for column in cursor.description or ():
                kind = connection.execute("select format_type(%s, null)", (column.type_code,)).fetchone()
                assert kind == (subject.columns[column.name].sql_type,), (name, column.name)


def test_an_unknown_warning_is_refused(catalogue: Portfolio) -> None:
    with pytest.raises(UsageError, match="has no warning 'w0'"):
        explain(BOOK, "w0")
