"""A CSV that the platform never saw is added and loaded by editing YAML only."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from creditops.errors import DataRefusedError
from creditops.ingest.land.landing import land
from creditops.ingest.write.loader import load_file
from creditops.settings import get_settings
from creditops.sources.contract import load_contract
from creditops.warehouse.connection import connect
from creditops.warehouse.raw_tables import ensure_current

HEADER = "借据号;客户编号;姓名;手机号;放款日;本金;利率;期数;状态;备注;是否循环"
DAY = date(2026, 6, 30)


def tape(rows: int) -> str:
    lines = ["贷款台账 2026年6月", HEADER]
    for n in range(rows):
        state = ("正常", "关注", "结清")[n % 3]
        note = ("", "NULL", f"老客户 推荐人 {n}")[n % 3]
        lines.append(
            f"L{n:06d};C{n % 40};张三{n};139{n:08d};{n % 28 + 1:02d}.{n % 12 + 1:02d}.2025;"
            f"{n + 1}.250,{n % 100:02d};0,0{n % 80 + 10};{12 + n % 25};{state};{note};{'Y' if n % 2 else 'N'}"
        )
    return "\n".join(lines) + "\n"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warehouse: str) -> Iterator[Path]:
    """A folder for a user's own contracts, beside a fresh warehouse."""
    folder = tmp_path / "contracts"
    monkeypatch.setenv("CREDITOPS_SOURCES_PATH", str(folder))
    get_settings.cache_clear()
    yield folder
    get_settings.cache_clear()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from creditops.cli import main; main()", *arguments],
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def as_json(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def complete(path: Path) -> None:
    """What the newcomer edits: descriptions, the unit of a count, that a rate is a share."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"Draft: columns? ", "The column ", text).replace("Draft: columns", "The columns")
    text = text.replace("草稿：文件中的", "台账中的").replace("unit: decimal", "unit: per year")
    path.write_text(text, encoding="utf-8")


def test_a_newcomers_csv_is_loaded_in_four_commands(own: Path, tmp_path: Path) -> None:
    sample = tmp_path / "loan_tape_202606.csv"
    sample.write_text(tape(300), encoding="gb18030")

    new = as_json(run("sources", "new", "--from", str(sample), "--domain", "repayment", "--json"))
    assert new["source"] == "loan_tape"
    complete(Path(new["file"]))
    checked = as_json(run("sources", "check", "loan_tape", "--try", str(sample), "--strict", "--json"))
    assert checked["findings"] == []
    assert (checked["trial"]["rows"], checked["trial"]["bad"]) == (300, 0)
    (line,) = as_json(run("ingest", "newbank", str(sample), "--as-of", "2026-06-30", "--json"))
    assert (line["rows_read"], line["rows_loaded"]) == (300, 300)
    rows = as_json(
        run(
            "query",
            "select loan_no, customer_id, disbursed_on, principal, annual_rate, status, note, name"
            " from raw.loan_tape where loan_no in ('L000001', 'L000002') order by 1",
            "--as",
            "loader",
            "--json",
        )
    )
    assert rows[0]["disbursed_on"] == "2025-02-02"
    assert rows[0]["principal"] == "2250.01"
    assert rows[0]["annual_rate"] == 0.011
    assert rows[0]["note"] is None
    assert rows[1]["status"] == "结清"
    assert re.fullmatch(r"[0-9a-f]{64}", rows[0]["name"])

    assert run("sources", "generate", "--own").returncode == 0
    assert run("sources", "generate", "--own", "--check").returncode == 0
    (source,) = yaml.safe_load((own / "generated" / "sources.yml").read_text(encoding="utf-8"))["sources"]
    (table,) = source["tables"]
    assert table["name"] == "loan_tape"
    assert "principal" in [column["name"] for column in table["columns"]]
    page = (own / "generated" / "data-dictionary.md").read_text(encoding="utf-8")
    assert "| `phone`" in page
    assert "phone: hashed" in page


@pytest.mark.usefixtures("own")
class TestEvolution:
    CONTRACT = """\
source: repairs
domain: reference
version: 1
description: { en: "Repairs.", zh: "维修。" }
grain: one row per repair
key: [repair_id]
columns:
  - { name: repair_id, type: id, required: true, description: { en: "Repair.", zh: "维修编号。" } }
  - { name: amount, type: money, required: true, unit: currency, description: { en: "Cost.", zh: "费用。" } }
"""

    def write(self, folder: Path, text: str) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "repairs.yml").write_text(text, encoding="utf-8")

    def load(self, folder: Path, name: str, text: str) -> int:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        (landed,) = land("newbank", [path], DAY)
        return load_file(landed).rows_loaded

    def test_a_column_added_later_is_added_to_raw(self, own: Path, tmp_path: Path) -> None:
        self.write(own, self.CONTRACT)
        assert self.load(tmp_path, "repairs.csv", "repair_id,amount\nA,1.00\n") == 1
        added = (
            "  - { name: garage, type: text, max_length: 99, required: true,"
            ' description: { en: "Garage.", zh: "修理厂。" } }\n'
        )
        optional = self.CONTRACT.replace("type: money, required: true", "type: money")
        self.write(own, optional.replace("version: 1", "version: 2") + added)
        assert self.load(tmp_path, "repairs.b.csv", "repair_id,amount,garage\nB,,East\n") == 1
        with connect("builder") as connection:
            found = connection.execute(
                "select repair_id, amount, garage from raw.repairs order by 1"
            ).fetchall()
        assert [(row[0], row[1] and str(row[1]), row[2]) for row in found] == [
            ("A", "1.00", None),
            ("B", None, "East"),
        ]

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            (
                "type: money, required: true, unit",
                "type: int, required: true, unit",
                "raw.repairs.amount is numeric",
            ),
            ("key: [repair_id]", "key: [repair_id, amount]", "has the key"),
        ],
    )
    def test_a_retyped_column_and_another_key_are_refused(
        self, own: Path, tmp_path: Path, old: str, new: str, problem: str
    ) -> None:
        self.write(own, self.CONTRACT)
        assert self.load(tmp_path, "repairs.csv", "repair_id,amount\nA,1.00\n") == 1
        self.write(own, self.CONTRACT.replace(old, new))
        with pytest.raises(DataRefusedError, match=problem) as refused:
            self.load(tmp_path, "repairs.b.csv", "repair_id,amount\nB,2\n")
        assert refused.value.exit_code == 3
        assert "new source name" in str(refused.value.hint)

    def test_applying_twice_changes_nothing_the_second_time(self, own: Path) -> None:
        self.write(own, self.CONTRACT)
        assert ensure_current(load_contract("repairs")).missing
        assert not ensure_current(load_contract("repairs"))
