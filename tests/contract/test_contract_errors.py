"""A faulty contract is refused with its file, the place in it and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from creditops.errors import UsageError
from creditops.sources.contract import (
    broken_contracts,
    load_book_contracts,
    load_contract,
    load_contracts,
)

VALID = """\
source: guarantors
domain: reference
version: 1
description: { en: "People who stand in for a debt.", zh: "担保人。" }
grain: one row per guarantor and facility
key: [guarantor_id, facility_id]
effective: signed_on
available: [signed_on]
relationships:
  - { columns: [facility_id], to: facilities, to_columns: [facility_id] }
checks:
  - name: amount_positive
    expression: amount > 0
    message: { en: "The guaranteed amount is not positive.", zh: "担保金额须为正数。" }
columns:
  - name: guarantor_id
    type: id
    required: true
    description: { en: "Guarantor.", zh: "担保人编号。" }
  - name: facility_id
    type: id
    required: true
    description: { en: "Facility guaranteed.", zh: "被担保的授信账户。" }
  - name: signed_on
    type: date
    required: true
    description: { en: "Day of signature.", zh: "签署日。" }
  - name: amount
    type: money
    unit: currency
    description: { en: "Amount guaranteed.", zh: "担保金额。" }
  - name: kind
    type: code
    values: [personal, no, "1"]
    description: { en: "Kind of guarantee.", zh: "担保种类。" }
"""


def write(home: Path, text: str, name: str = "guarantors.yml") -> Path:
    path = home / "contracts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refusal(home: Path, text: str, name: str = "guarantors.yml") -> UsageError:
    """The fault of a contract, which stops nothing else: the canonical sources are there."""
    path = write(home, text, name)
    (broken,) = broken_contracts()
    assert "payments" in load_contracts()
    assert broken.path == path
    assert str(path) in broken.error.message
    assert broken.error.hint
    assert broken.error.exit_code == 2
    return broken.error


def test_a_users_own_source_stands_beside_the_canonical_ones(home: Path) -> None:
    write(home, VALID)
    contract = load_contract("guarantors")
    assert contract.raw_columns()[3] == ("amount", "numeric(18,2)", True)
    assert contract.column("kind").values == ("personal", "no", "1")
    assert "payments" in load_contracts()


def test_a_canonical_source_cannot_be_replaced(home: Path) -> None:
    text = VALID.replace("source: guarantors", "source: payments")
    assert "'payments' is already defined" in refusal(home, text, "payments.yml").message


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ("domain: reference", "domain: marketing", "domain:", "'marketing' is not one of the allowed words"),
        ("grain: one row per guarantor and facility\n", "", "top level:", "'grain' is missing"),
        ("version: 1", "version: 1\nowner: me", "top level:", "unknown key 'owner'"),
        ("type: money", "type: currency", "columns[amount].type:", "'currency' is not one of"),
        (', zh: "担保金额。"', "", "columns[amount].description:", "'zh' is missing"),
        ('zh: "担保金额。"', 'zh: ""', "columns[amount].description.zh:", ""),
        ('"1"]', "1]", "columns[kind].values", ""),
        ("unit: currency", 'unit: currency\n    min: "a"', "columns[amount]:", "must be a number"),
        ("unit: currency", "unit: currency\n    min: 2\n    max: 1", "columns[amount]:", "above `max`"),
        ("values: [personal", 'pattern: "["\n    values: [personal', "columns[kind]", "regular expression"),
        ("values: [personal", 'pattern: "(?=a)a"\n    values: [personal', "columns[kind].pattern", "dialect"),
        ('    values: [personal, no, "1"]\n', "", "columns[kind]:", "needs `values` or a `pattern`"),
        ("unit: currency", "pii: name", "columns[amount]:", "needs type text or id"),
        ("unit: currency", "detect: quarantine", "columns[amount]:", "goes with id, text, bigint"),
        ("values: [personal", "detect: allow\n    values: [personal", "columns[kind]:", "goes with id, text"),
        (
            '    description: { en: "Guarantor.',
            '    detect: mask\n    description: { en: "Guarantor.',
            "columns",
            "be one",
        ),
        (
            '    description: { en: "Guarantor.',
            '    detect: allow\n    description: { en: "Guarantor.',
            "",
            "reason",
        ),
        ("key: [guarantor_id", "key: [guarantor_no", "top level:", "'guarantor_no', which is not declared"),
        ("key: [guarantor_id", "key: [amount", "top level:", "'amount' must be `required: true`"),
        ("available: [signed_on]", "available: [kind]", "top level:", "'kind', which is no date or ts"),
        ("to: facilities", "to: facilitys", "relationships:", "the source 'facilitys' does not exist"),
        ("to_columns: [facility_id]", "to_columns: [id]", "relationships:", "facilities.id does not exist"),
        ("expression: amount > 0", "expression: amout > 0", "checks[amount_positive]", "amout"),
        ("expression: amount > 0", "expression: amount >", "checks[amount_positive]", ""),
        ("expression: amount > 0", "expression: amount + 1", "checks[amount_positive]", "no true or false"),
        ("name: kind", "name: amount", "top level:", "amount is declared twice"),
        ("name: kind", "name: loaded_at", "columns[loaded_at].name", ""),
        ("source: guarantors", "source: guarantor", "source:", "is not the name of the file"),
        ("version: 1", "version: 1\nversion: 2", "line 4", "written twice"),
        ("key: [", "key: ][", "line 6", ""),
    ],
)
def test_a_fault_is_named_with_its_place(home: Path, old: str, new: str, place: str, problem: str) -> None:
    assert VALID.count(old) >= 1
    message = refusal(home, VALID.replace(old, new)).message
    assert place in message
    assert problem in message


def test_a_file_in_another_encoding_is_refused(home: Path) -> None:
    path = write(home, VALID)
    path.write_bytes(VALID.encode("gb18030"))
    with pytest.raises(UsageError, match="UTF-8"):
        load_contract("guarantors")


def test_an_unknown_source_lists_the_known_ones(home: Path) -> None:
    with pytest.raises(UsageError, match="no source 'paymnts'") as caught:
        load_contract("paymnts")
    assert caught.value.hint is not None
    assert "payments" in caught.value.hint


EXTENSION = """\
extends: characteristics
version: 1
columns:
  - name: savings
    type: money
    unit: currency
    direction: descending
    special_values: { "-1": { en: "No account", zh: "无账户" } }
    description: { en: "Savings.", zh: "储蓄。" }
"""


def test_a_user_extends_characteristics_for_a_book(home: Path) -> None:
    write(home, EXTENSION, "books/my_book/characteristics.yml")
    contract = load_contract("characteristics", "my_book")
    assert contract.book == "my_book"
    assert contract.column("savings").direction == "descending"
    assert contract.column("savings").special_values["-1"].en == "No account"
    assert "characteristics_my_book" in {each.table for each in load_book_contracts()}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"extends": "payments"}, "names no source that books may extend"),
        ({"key": ["savings"]}, "a book's file has no keys but"),
    ],
)
def test_a_book_adds_columns_only_to_an_open_source(
    home: Path, change: dict[str, object], problem: str
) -> None:
    text = yaml.safe_dump(yaml.safe_load(EXTENSION) | change, allow_unicode=True)
    error = refusal(home, text, "books/my_book/characteristics.yml")
    assert problem in str(error)
    with pytest.raises(UsageError, match=problem):
        load_contracts("my_book")
    assert "characteristics" in load_contracts("another_book")
