"""What a contract implies for the raw gate, on the real Great Expectations and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from creditops.errors import DataRefusedError
from creditops.ingest.land.landing import land
from creditops.ingest.write.loader import load_file
from creditops.quality.contract_suite import contract_suite, raw_suites, relationship_name
from creditops.quality.gate import CheckResult, gate_raw
from creditops.settings import get_settings
from creditops.sources.contract import load_book_contracts, load_contracts
from creditops.warehouse.connection import connect

DAY = date(2026, 6, 30)
CONTRACT = """\
source: guarantees
domain: reference
version: 1
description: { en: "Guarantees.", zh: "担保。" }
grain: one row per guarantee
key: [guarantee_id]
effective: signed_at
min_rows_per_delivery: 2
max_rows_per_delivery: 4
relationships:
  - { columns: [partner_id], to: partners, to_columns: [partner_id], severity: warning }
checks:
  - name: ends_after_it_begins
    expression: ends_on >= signed_at
    severity: warning
    message: { en: "It ends before it begins.", zh: "终止日早于起始日。" }
  - name: not_its_own
    expression: guarantee_id <> partner_id
    message: { en: "It names itself.", zh: "引用自身。" }
columns:
  - name: guarantee_id
    type: id
    required: true
    pattern: "G[0-9]{1,6}"
    description: { en: "Id.", zh: "编号。" }
  - { name: partner_id, type: id, description: { en: "Partner.", zh: "合作方。" } }
  - { name: holder, type: text, pii: name, required: true, description: { en: "Holder.", zh: "担保人。" } }
  - { name: born, type: date, min: "1900-01-01", pii: birth_date, description: { en: "Born.", zh: "出生。" } }
  - { name: signed_at, type: ts, required: true, description: { en: "Signed.", zh: "签署。" } }
  - { name: ends_on, type: date, description: { en: "End.", zh: "终止。" } }
  - { name: amount, type: money, min: 1, unit: currency, description: { en: "Amount.", zh: "金额。" } }
  - { name: kind, type: code, values: [full, "part's"], description: { en: "Kind.", zh: "种类。" } }
"""
HEADER = "guarantee_id,partner_id,holder,born,signed_at,ends_on,amount,kind"
GOOD = ["G1,P1,Li,1990-01-01,2026-01-01 10:00,2027-01-01,5.00,full", "G2,,Wu,,2026-01-01,,,part's"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module_warehouse: str) -> Iterator[Path]:
    """A folder with one contract of the user's own; its raw table is empty."""
    own = tmp_path / "contracts"
    own.mkdir()
    (own / "guarantees.yml").write_text(CONTRACT, encoding="utf-8")
    monkeypatch.setenv("CREDITOPS_SOURCES_PATH", str(own))
    get_settings.cache_clear()
    with connect("owner") as connection:
        connection.execute("drop table if exists raw.guarantees")
        connection.execute("truncate ops.load_ledger cascade")
    yield tmp_path
    get_settings.cache_clear()


def gate(folder: Path, lines: list[str], then: str | None = None) -> dict[str, CheckResult]:
    """Load the lines, change raw behind the loader's back if told to, and run the gate."""
    path = folder / "guarantees.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    (landed,) = land("demo", [path], DAY)
    load_file(landed)
    if then:
        with connect("owner") as connection:
            connection.execute(then)  # type: ignore[call-overload]
    return {result.check: result for result in gate_raw("demo", DAY)}


def test_a_good_batch_passes_and_an_orphan_and_a_warning_are_listed(folder: Path) -> None:
    results = gate(folder, [*GOOD, "G3,P1,Xu,,2026-02-01,2026-01-01,,full"])
    assert {name: (each.passed, each.rows_failed) for name, each in results.items()} == {
        "a delivery has at least 2 and at most 4 rows": (True, 0),
        "columns keep their contract": (True, 0),
        "partner_id is a known partners": (False, 2),
        "ends after it begins": (False, 1),
    }
    assert results["ends after it begins"].examples == ["guarantee_id=G3"]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("update raw.guarantees set amount = 0 where guarantee_id = 'G1'", "amount"),
        ("update raw.guarantees set kind = 'none' where guarantee_id = 'G1'", "kind"),
        ("update raw.guarantees set holder = 'Li' where guarantee_id = 'G1'", "holder"),
        ("update raw.guarantees set signed_at = '1980-01-01' where guarantee_id = 'G1'", "signed_at"),
        ("update raw.guarantees set guarantee_id = 'X' where guarantee_id = 'G1'", "guarantee_id"),
        ("update raw.guarantees set partner_id = 'G1' where guarantee_id = 'G1'", "not_its_own"),
    ],
)
def test_what_changed_behind_the_loader_stops_the_line(folder: Path, change: str, column: str) -> None:
    with pytest.raises(
        DataRefusedError, match=f"columns keep their contract failed on 1 of 2.*faults={column}"
    ):
        gate(folder, GOOD, change)


def test_too_few_rows_stop_the_line_but_unchanged_ones_count(folder: Path) -> None:
    gate(folder, GOOD)
    unchanged = gate(folder, [*reversed(GOOD)])
    assert unchanged["a delivery has at least 2 and at most 4 rows"].passed
    with pytest.raises(DataRefusedError, match="at least 2 and at most 4 rows failed"):
        gate(folder, GOOD[:1])


def test_every_contract_has_a_suite_and_hand_written_ones_stand_beside_it() -> None:
    suites = raw_suites("taiwan_cards")
    assert set(load_contracts()) - {"characteristics"} <= set(suites)
    assert "characteristics_taiwan_cards" in suites
    names = [spec.name for spec in suites["payments"].expectations]
    assert "columns keep their contract" in names
    assert "facility_id is a known facilities" in names
    assert "a reversal is not more than the payment it reverses" in names
    assert len(names) == len(set(names))
    for contract in (*load_contracts().values(), *load_book_contracts()):
        suite = contract_suite(contract)
        assert len({spec.name for spec in suite.expectations}) == len(suite.expectations)


def test_a_row_without_its_partner_is_listed_and_stops_no_book() -> None:
    """A facility that needs one is set aside by the build (base_quarantined_facility)."""
    for contract in load_contracts().values():
        severity = {spec.name: spec.severity for spec in contract_suite(contract).expectations}
        for relationship in contract.relationships:
            assert severity[relationship_name(relationship)] == "warning"
