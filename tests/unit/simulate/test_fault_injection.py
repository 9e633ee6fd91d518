"""Faults are injected as asked, written down, and leave nothing behind for the next simulation."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from creditops.cli import app
from creditops.errors import UsageError
from creditops.simulate.faults import FAULTS, clear_faults, inject_faults
from creditops.simulate.faults.injections import INJECTIONS

PAYMENT = "payment_id,facility_id,due_item_id,value_date,booked_at,amount,currency,reverses_payment_id,payer"


def write_payments(folder: Path, rows: int = 1200) -> None:
    lines = [f"P{n},F1,,2026-05-09,,{n}.50,CNY,,customer" for n in range(rows)]
    (folder / "payments.csv").write_text("\n".join([PAYMENT, *lines]) + "\n", encoding="utf-8")


def test_every_declared_fault_can_be_injected() -> None:
    assert set(FAULTS) == set(INJECTIONS)


def test_the_same_seed_spoils_the_same_rows(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        write_payments(tmp_path)
        inject_faults(tmp_path, ["decimal_commas", "duplicate_keys", "gzipped"], seed=5)
        found.append((tmp_path / "payments.csv.gz").read_bytes())
    assert found[0] == found[1]


def test_what_was_injected_is_written_down(tmp_path: Path) -> None:
    write_payments(tmp_path)
    inject_faults(tmp_path, ["bom", "unknown_code"], seed=5)
    with (tmp_path / "truth" / "injected_faults.csv").open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert [(row["fault"], row["rows"], row["outcome"]) for row in rows] == [
        ("unknown_code", "2", "quarantined"),
        ("bom", "1200", "loaded"),
    ]
    content = (tmp_path / "payments.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"robot") == 2


def test_two_faults_of_a_whole_file_cannot_be_told_apart(tmp_path: Path) -> None:
    write_payments(tmp_path)
    with pytest.raises(UsageError, match="bom and gzipped both spoil the whole file of payments"):
        inject_faults(tmp_path, ["bom", "gzipped"], seed=1)


def test_the_next_simulation_starts_without_the_leftovers(tmp_path: Path) -> None:
    write_payments(tmp_path)
    inject_faults(tmp_path, ["late_rows", "unknown_code"], seed=1)
    assert (tmp_path / "payments.late.csv").exists()
    clear_faults(tmp_path)
    assert list(tmp_path.glob("payments*")) == []


def test_the_command_lists_faults_and_tells_what_it_injected(tmp_path: Path) -> None:
    listed = CliRunner().invoke(app, ["simulate", "--list-faults", "--json"])
    assert {each["fault"] for each in json.loads(listed.stdout)} == set(FAULTS)
    arguments = ["simulate", "--out", str(tmp_path), "--customers", "30", "--months", "18", "--json"]
    done = CliRunner().invoke(app, [*arguments, "--fault", "header_renamed", "--fault", "bom"])
    assert [each["fault"] for each in json.loads(done.stdout)["faults"]] == ["header_renamed", "bom"]
    unknown = CliRunner().invoke(app, [*arguments, "--fault", "gremlin"])
    assert isinstance(unknown.exception, UsageError)
