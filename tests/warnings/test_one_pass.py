"""More rules cost no more scans."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from creditops.warehouse import connect
from creditops.warehouse.layers import LIVE_SCHEMAS
from creditops.warnings import load_rules
from creditops.warnings.compiler import compile_hits
from creditops.warnings.rule import Rule
from creditops.warnings.subject import load_subjects
from tests.warnings.portfolio import BOOK, JUNE, Portfolio


def scans(rules: list[Rule]) -> Counter[str]:
    """How often the plan of the compiled rules reads each table."""
    query = compile_hits(rules, load_subjects(), book=BOOK, as_of=JUNE, schemas=LIVE_SCHEMAS)
    with connect("publisher") as connection:
        row = connection.execute(f"explain (format json) {query}").fetchone()  # type: ignore[arg-type]
    assert row is not None
    found: Counter[str] = Counter()

    def walk(node: dict[str, Any]) -> None:
        if "Relation Name" in node:
            found[node["Relation Name"]] += 1
        for child in node.get("Plans", []):
            walk(child)

    walk(row[0][0]["Plan"])
    return found


def test_tables_are_read_for_a_subject_however_many_rules_look_at_it(portfolio: Portfolio) -> None:
    rules = list(load_rules())
    panel = [rule for rule in rules if rule.subject == "facility_month"]
    assert scans(panel)["fct_facility_month"] == scans(panel[:1])["fct_facility_month"] == 4
    queries = " ".join(subject.query for subject in load_subjects().values())
    for table, times in scans(rules).items():
        assert times <= len(re.findall(rf"\b{table}\b", queries)), table


def test_doubling_the_rules_adds_no_scan(portfolio: Portfolio) -> None:
    rules = list(load_rules())
    twins = [rule.model_copy(update={"id": f"{rule.id}_twin"}) for rule in rules]
    assert scans(rules + twins) == scans(rules)
