"""Rules as data: what is read, what is refused, which version holds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from creditops.errors import UsageError
from creditops.expressions import compile_expression
from creditops.warnings import load_rules
from creditops.warnings.rule import Rule, read_rule, rules_in_force
from creditops.warnings.subject import load_subjects

RULE = """
id: big_balance
version: 1
name: {zh: 余额过大, en: Big balance}
subject: facility_month
condition: balance > {limit}
parameters: {limit: 100}
severity: yellow
text: {zh: '余额{balance}。', en: 'Balance {balance}.'}
recommended_response: watch
owner: risk
valid_from: 2020-01-01
"""


def rule_from(tmp_path: Path, text: str) -> Rule:
    path = tmp_path / "big_balance.yml"
    path.write_text(text, encoding="utf-8")
    return read_rule(path)


def test_the_catalogue_ships_at_least_fourteen_rules_with_texts_in_both_languages() -> None:
    rules = load_rules()
    assert len(rules) >= 14
    assert all(rule.text.zh and rule.text.en and rule.name.zh and rule.name.en for rule in rules)
    assert {rule.subject for rule in rules} == set(load_subjects())


def test_a_rule_file_is_read_with_its_thresholds_per_book(tmp_path: Path) -> None:
    rule = rule_from(tmp_path, RULE + "overrides: {cards: {limit: 500}}\n")
    assert rule.parameters_of("demo") == {"limit": 100}
    assert rule.parameters_of("cards") == {"limit": 500}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("balance > {limit}", "balanse > {limit}", "no column 'balanse'"),
        ("balance > {limit}", "balance > {limt}", "no parameter 'limt'"),
        ("balance > {limit}", "pg_sleep(9) > {limit}", "function 'pg_sleep' is not allowed"),
        ("balance > {limit}", "balance > {limit}; drop table x", "is not one SQL expression"),
        ("balance > {limit}", "balance > (select 1)", "subquery is not allowed"),
        (
            "balance > {limit}",
            "balance > {limit} or current_date > opened_on",
            "'current_date' is not allowed",
        ),
        ("balance > {limit}", "other.balance > {limit}", "no column 'other.balance'"),
        ("balance > {limit}", '({limit}) < "balance"', "double quotes"),
        ("balance > {limit}", "balance::int8 > {limit}", "a cast is not allowed"),
        ("balance > {limit}", "(balance > {limit}", "Expecting )"),
        ("balance > {limit}", "balance > {limit} -- all", "comment"),
        ("subject: facility_month", "subject: moon", "no subject 'moon'"),
        ("{balance}。", "{balanse}。", "no column balanse"),
        ("{balance}。", "{balance:loud}。", "unknown form"),
        ("severity: yellow", "severity: [{level: red, when: 'dpd > 90'}]", "the last step"),
        ("severity: yellow", "severity: blue", "severity"),
        ("owner: risk", "owner: risk\nvalid_to: 2019-12-31", "valid_to is before valid_from"),
        ("owner: risk", "owner: risk\noverrides: {cards: {floor: 1}}", "floor"),
        ("owner: risk", "owner: risk\ncolour: green", "colour"),
        ("owner: risk", "owner: [risk", "no YAML"),
    ],
)
def test_a_faulty_rule_is_refused_with_its_file_and_fault(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(UsageError) as refused:
        rule_from(tmp_path, RULE.replace(old, new))
    assert "big_balance.yml" in str(refused.value)
    assert message in str(refused.value)


def test_an_expression_names_the_columns_it_reads_and_brackets_negative_thresholds() -> None:
    expression = compile_expression(
        "dpd > {a} and coalesce(balance, 0) - {b} < 0 and bucket in ('M1', 'it''s')",
        columns={"dpd", "balance", "bucket"},
        parameters={"a": 30, "b": -0.5},
        where="here",
    )
    assert expression.columns == ("dpd", "balance", "bucket")
    assert expression.sql == "dpd > 30 and coalesce(balance, 0) - (-0.5) < 0 and bucket in ('M1', 'it''s')"


def test_the_newest_valid_version_of_a_rule_is_in_force(tmp_path: Path) -> None:
    first = rule_from(tmp_path, RULE)
    second = first.model_copy(update={"version": 2, "valid_from": date(2026, 1, 1)})
    ended = first.model_copy(update={"id": "ended", "valid_to": date(2025, 12, 31)})
    rules = [first, second, ended]
    assert [(r.id, r.version) for r in rules_in_force(rules, date(2025, 12, 31))] == [
        ("big_balance", 1),
        ("ended", 1),
    ]
    assert [(r.id, r.version) for r in rules_in_force(rules, date(2026, 1, 1))] == [("big_balance", 2)]


def test_what_decides_is_part_of_a_rule_version_and_its_wording_is_not(tmp_path: Path) -> None:
    rule = rule_from(tmp_path, RULE)
    reworded = rule_from(tmp_path, RULE.replace("Balance {balance}", "Owes {balance}"))
    tightened = rule_from(tmp_path, RULE.replace("limit: 100", "limit: 90"))
    assert reworded.definition_hash() == rule.definition_hash()
    assert tightened.definition_hash() != rule.definition_hash()
