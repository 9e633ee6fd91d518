"""Every canonical source has a contract, and the contracts say what the platform relies on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from creditops.sources.column import Column
from creditops.sources.contract import (
    SCHEMA,
    SOURCES_FOLDER,
    Check,
    Contract,
    Delivery,
    Relationship,
    load_book_contracts,
    load_contract,
    load_contracts,
    sources_of,
)
from creditops.sources.row_check import try_checks
from tests.contract.canonical_form import CANONICAL_FORM

ALL = [*load_contracts().values(), *load_book_contracts()]
EVERY_CONTRACT = pytest.mark.parametrize("contract", ALL, ids=[contract.table for contract in ALL])


def test_there_is_one_contract_per_canonical_source() -> None:
    canonical = {path.stem for path in SOURCES_FOLDER.glob("*.yml")}
    assert canonical == set(CANONICAL_FORM)


@pytest.mark.parametrize("source", sorted(CANONICAL_FORM))
def test_contract_has_the_canonical_columns(source: str) -> None:
    contract = load_contract(source)
    declared = re.findall(r"([^,(]+(?:\([^)]*\)\??)?)(?:, |$)", CANONICAL_FORM[source])
    assert [item.split()[0].rstrip("*") for item in declared] == [c.name for c in contract.columns]
    key: list[str] = []
    for item in declared:
        name, rest = item.split(" ", 1)
        if name.endswith("*"):
            key.append(name.rstrip("*"))
        column = contract.column(name.rstrip("*"))
        is_pii = rest.startswith("PII ")
        kind, codes = re.fullmatch(r"(\w+)(?:\((.*)\))?\??", rest.removeprefix("PII ")).groups()  # type: ignore[union-attr]
        assert column.type == kind, name
        assert column.required is not rest.endswith("?"), name
        assert (column.pii != "none") is is_pii, name
        if codes:
            assert column.values == tuple(codes.split(", ")), name
    assert set(contract.key) == set(key)


@EVERY_CONTRACT
def test_everything_is_described_in_both_languages(contract: Contract) -> None:
    descriptions = [contract.description, *(column.description for column in contract.columns)]
    for description in descriptions:
        assert re.search(r"[a-z]", description.en)
        assert re.search(r"[\u4e00-\u9fff]", description.zh)
    for column in contract.columns:
        for label in column.labels.values():
            assert label.en
            assert re.search(r"[\u4e00-\u9fff]", label.zh)


@EVERY_CONTRACT
def test_amounts_and_counts_have_a_unit(contract: Contract) -> None:
    lacking = [
        c.name for c in contract.columns if c.type in ("money", "rate", "int", "bigint") and not c.unit
    ]
    assert lacking == []


@EVERY_CONTRACT
def test_every_date_has_a_plausible_range(contract: Contract) -> None:
    for column in contract.columns:
        if column.type in ("date", "ts"):
            assert "1900-01-01" <= str(column.min) <= "1990-01-01"
            assert column.max == "2100-01-01"


@EVERY_CONTRACT
def test_row_checks_are_conditions_over_the_columns(contract: Contract) -> None:
    try_checks(Path(contract.source), contract.checks, contract.columns)


@EVERY_CONTRACT
def test_a_row_says_when_it_is_true_and_when_it_could_be_known(contract: Contract) -> None:
    children_of_a_report = {"bureau_tradelines", "bureau_inquiries", "bureau_public_records"}
    assert bool(contract.available) is (contract.source not in children_of_a_report)
    assert bool(contract.effective) is (contract.source not in children_of_a_report)


AHEAD = {"effective_date", "due_date", "due_on", "period"}
"""Days that may lie after a delivery: terms that come into force, dues, months that a forecast is for."""


@EVERY_CONTRACT
def test_what_has_happened_is_declared_so(contract: Contract) -> None:
    days = [column for column in contract.columns if column.type in ("date", "ts")]
    assert {column.name for column in days if not column.is_past} <= AHEAD


def test_what_could_be_known_when() -> None:
    known = {name: contract.available for name, contract in load_contracts().items()}
    assert known["due_items"] == ("issued_on", "due_date")
    assert known["payments"] == ("value_date",)
    assert known["statements"] == ("published_on",)
    assert known["bureau_reports"] == ("pulled_on",)
    assert known["applications"] == ("stage_at",)
    assert known["facility_snapshots"] == ("month_end",)


def test_an_outcome_is_never_backdated_to_its_observation_day() -> None:
    assert load_contract("outcomes").delivery.history is False


def test_personal_data_is_hashed_and_a_birth_date_becomes_a_year() -> None:
    raw = {name: (kind, nullable) for name, kind, nullable in load_contract("customers").raw_columns()}
    assert "birth_date" not in raw
    assert raw["birth_year"] == ("integer", True)
    assert all(raw[name] == ("text", True) for name in ("name", "national_id", "phone", "address"))
    assert raw["customer_id"] == ("text", False)


def test_raw_types_follow_the_column_types() -> None:
    raw = {name: (kind, nullable) for name, kind, nullable in load_contract("payments").raw_columns()}
    assert raw["amount"] == ("numeric(18,2)", False)
    assert raw["value_date"] == ("date", False)
    assert raw["booked_at"] == ("timestamptz", True)
    assert load_contract("products").raw_columns()[3] == ("lgd", "double precision", False)
    assert load_contract("bureau_reports").raw_columns()[4] == ("hit", "boolean", False)


def test_each_domain_has_its_sources() -> None:
    assert sources_of("financial") == ["sme_invoices", "statements"]
    assert sources_of("bureau") == [
        "bureau_inquiries",
        "bureau_public_records",
        "bureau_reports",
        "bureau_tradeline_months",
        "bureau_tradelines",
    ]
    assert {"due_items", "payments", "facility_snapshots", "outcomes"} <= set(sources_of("repayment"))
    assert {"customers", "facilities", "applications"} <= set(sources_of("reference"))


def test_a_book_extends_its_characteristics_in_a_table_of_its_own() -> None:
    own = load_contract("characteristics", "taiwan_cards")
    assert own.table == "characteristics_taiwan_cards"
    assert [column.name for column in own.columns] == [
        "customer_id",
        "observed_on",
        "education",
        "marriage",
        "age",
    ]
    assert {column.name for column in own.columns if column.protected} == {"marriage", "age"}
    assert own.key == ("customer_id", "observed_on")
    assert load_contract("characteristics", "demo") == load_contract("characteristics")
    assert load_contract("characteristics").table == "characteristics"
    assert load_contract("customers").column("sex").protected


def test_contracts_do_not_change_under_their_users() -> None:
    contract = load_contract("payments")
    with pytest.raises(ValueError, match="frozen"):
        contract.version = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("model", "pointer", "derived"),
    [
        (Contract, "", {"book"}),
        (Column, "/$defs/column", {"labels"}),
        (Delivery, "/properties/delivery", set()),
        (Relationship, "/properties/relationships/items", set()),
        (Check, "/properties/checks/items", set()),
    ],
)
def test_schema_and_model_know_the_same_keys(model: type[BaseModel], pointer: str, derived: set[str]) -> None:
    node = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for step in pointer.split("/")[1:]:
        node = node[step]
    assert set(node["properties"]) - {"extends"} == set(model.model_fields) - derived
