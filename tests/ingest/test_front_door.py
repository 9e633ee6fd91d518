"""At the front door nothing is lost, nothing gets stuck and nothing is left unsaid."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from creditops.books import Partition
from creditops.cli import _as_ours
from creditops.errors import DataRefusedError, UsageError
from creditops.ingest import steps
from creditops.ingest.land.landing import delivery_folder, land, mark_whole, marker_of
from creditops.ingest.write.loader import load_file
from creditops.runner import run_local
from creditops.schema import initialise
from creditops.settings import get_settings
from creditops.sources.contract import load_contract
from creditops.warehouse.connection import connect
from tests.ingest.files import DAY, select

PARTNERS = "partner_id,name,channel,effective_date\n"
PARTNER = "A,Alpha,online,2025-01-01\n"
TAPE = """\
source: tape
domain: reference
version: 1
description: { en: "Tape.", zh: "台账。" }
grain: one row per loan
key: [loan_no]
delivery: { mode: incremental }
columns:
  - { name: loan_no, type: id, required: true, description: { en: "No.", zh: "号。" } }
  - { name: n, type: int, unit: persons, description: { en: "Dependants.", zh: "人数。" } }
"""


@pytest.fixture
def contracts(warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for contracts of the test's own, beside a fresh warehouse."""
    folder = tmp_path / "contracts"
    folder.mkdir()
    monkeypatch.setenv("CREDITOPS_SOURCES_PATH", str(folder))
    get_settings.cache_clear()
    yield folder
    get_settings.cache_clear()


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def load(path: Path) -> Any:
    (landed,) = land("demo", [path], DAY)
    return load_file(landed)


def creditops(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from creditops.cli import main; main()", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def tables() -> set[str]:
    return {
        name for (name,) in select("select relname from pg_class where relnamespace = 'raw'::regnamespace")
    }


class TestARefusedLoadLeavesNothing:
    def test_the_contract_can_be_mended_after_a_first_load_that_was_refused(
        self, contracts: Path, tmp_path: Path
    ) -> None:
        write(contracts, "tape.yml", TAPE)
        tape = write(tmp_path, "tape.csv", "loan_no,n\nA,1.5\nB,2.5\n")
        with pytest.raises(DataRefusedError):
            load(tape)
        assert "tape" not in tables()
        write(contracts, "tape.yml", TAPE.replace("type: int, unit: persons", "type: rate, unit: share"))
        assert load(tape).rows_loaded == 2

    def test_a_table_without_rows_follows_its_contract(self, contracts: Path, tmp_path: Path) -> None:
        write(contracts, "tape.yml", TAPE)
        assert load(write(tmp_path, "tape.csv", "loan_no,n\n")).rows_read == 0
        other = TAPE.replace("key: [loan_no]", "key: [loan_no, n]")
        other = other.replace("type: int, unit: persons", "type: date, required: true")
        write(contracts, "tape.yml", other)
        assert load(write(tmp_path, "tape.b.csv", "loan_no,n\nA,2024-01-01\n")).rows_loaded == 1

    def test_whole_numbers_may_become_numbers_with_decimals(self, contracts: Path, tmp_path: Path) -> None:
        write(contracts, "tape.yml", TAPE)
        load(write(tmp_path, "tape.csv", "loan_no,n\nA,1\n"))
        write(contracts, "tape.yml", TAPE.replace("type: int, unit: persons", "type: rate, unit: share"))
        load(write(tmp_path, "tape.b.csv", "loan_no,n\nB,2.5\n"))
        assert select("select loan_no, n from raw.tape order by 1") == [("A", 1.0), ("B", 2.5)]

    def test_a_contract_that_says_another_type_than_its_rows_stops_no_start_and_no_other_source(
        self, contracts: Path, tmp_path: Path
    ) -> None:
        write(contracts, "tape.yml", TAPE)
        load(write(tmp_path, "tape.csv", "loan_no,n\nA,1\n"))
        write(contracts, "tape.yml", TAPE.replace("type: int, unit: persons", "type: date"))
        (problem,) = initialise()
        assert "raw.tape.n is integer but its contract says date" in problem
        assert load(write(tmp_path, "partners.csv", PARTNERS + PARTNER)).rows_loaded == 1

    def test_a_broken_contract_stops_its_own_source_only(self, contracts: Path, tmp_path: Path) -> None:
        path = write(contracts, "tape.yml", TAPE.replace("type: int", "type: number"))
        (problem,) = initialise()
        assert str(path) in problem
        with pytest.raises(UsageError, match="'number' is not one of the allowed words"):
            load_contract("tape")
        files = [
            write(tmp_path, "tape.csv", "loan_no,n\nA,1\n"),
            write(tmp_path, "partners.csv", PARTNERS + PARTNER),
        ]
        done = creditops("ingest", "demo", *map(str, files), "--as-of", str(DAY), "--json")
        assert done.returncode == 2
        said = json.loads(done.stdout)
        assert [each["source"] for each in said["loads"]] == ["partners"]
        assert "columns[n].type" in said["error"]["message"]


@pytest.mark.usefixtures("warehouse")
class TestNothingVanishes:
    def test_a_misspelt_file_is_named_and_has_its_line_in_the_ledger(self, tmp_path: Path) -> None:
        folder = tmp_path / "delivery"
        write(folder, "partners.csv", PARTNERS + PARTNER)
        write(folder, "paymets.csv", "payment_id\nP1\n")
        write(folder, "notes.pdf", "%PDF")
        (folder / "payments.csv").mkdir()
        done = creditops("ingest", "demo", str(folder), "--as-of", str(DAY))
        assert done.returncode == 0, done.stderr
        assert "paymets.csv is not taken: no source is called 'paymets'; is it payments?" in done.stdout
        assert "payments.csv is not taken: it is a folder" in done.stdout
        assert "notes.pdf is not taken: a file of this kind cannot be read" in done.stdout
        assert select("select file, status from ops.load_ledger order by file") == [
            (f"demo/{DAY}/notes.pdf", "not_taken"),
            (f"demo/{DAY}/partners.csv", "loaded"),
            (f"demo/{DAY}/payments.csv", "not_taken"),
            (f"demo/{DAY}/paymets.csv", "not_taken"),
        ]
        shown = creditops("ledger", "--book", "demo")
        assert "is it payments?" in shown.stdout

    def test_a_run_says_what_it_does_not_take_of_the_landing_zone_once(self, tmp_path: Path) -> None:
        (landed,) = land("demo", [write(tmp_path, "partners.csv", PARTNERS + PARTNER)], DAY)
        misspelt = write(delivery_folder("demo", DAY), "partnrs.csv", PARTNERS)
        marker_of(misspelt).touch()
        (landed.path.parent / "customers.csv").mkdir()
        for _ in range(2):
            outcome = steps.ingest(Partition("demo", DAY), "reference")
            assert [each.partition(":")[0] for each in outcome["not_taken"]] == [
                "customers.csv is not taken",
                "partnrs.csv is not taken",
            ]
        assert select("select count(*) from ops.load_ledger where status = 'not_taken'") == [(2,)]

    def test_rows_that_an_adapter_left_out_are_counted(self, tmp_path: Path) -> None:
        (landed,) = land("demo", [write(tmp_path, "partners.csv", PARTNERS + PARTNER)], DAY)
        mark_whole(landed.path, {"where": 27874})
        result = load_file(landed)
        assert (result.rows_read, result.rows_left_out) == (1, 27874)
        assert "27874 rows of the delivered file were left out by its adapter (where 27874)" in str(
            result.message
        )

    def test_a_file_with_a_header_and_no_rows_is_said(self, tmp_path: Path) -> None:
        result = load(write(tmp_path, "partners.csv", PARTNERS))
        assert (result.status, result.rows_read) == ("loaded", 0)
        assert result.message == "the file has a header and no rows"

    def test_bad_rows_are_said_at_the_end_of_a_load(self, tmp_path: Path) -> None:
        rows = "".join(f"P{n},Name,online,2025-01-{n % 28 + 1:02d}\n" for n in range(200))
        path = write(tmp_path, "partners.csv", PARTNERS + rows + "Z,Name,online,2025-02-30\n")
        done = creditops("ingest", "demo", str(path), "--as-of", str(DAY))
        assert done.returncode == 0, done.stderr
        assert "1 rows are in quarantine (partners 1); `creditops quarantine list --book demo`" in done.stdout


@pytest.mark.usefixtures("warehouse")
class TestMessages:
    @pytest.mark.parametrize(
        ("arguments", "code", "problem"),
        [
            (["ingest", "demo", "nowhere.csv", "--json"], 2, "does not exist"),
            (["ingest", "demo", "--json"], 2, "paths"),
            (["query", "select nonsense", "--json"], 2, "nonsense"),
        ],
    )
    def test_an_error_is_json_where_json_was_asked_for(
        self, arguments: list[str], code: int, problem: str
    ) -> None:
        done = creditops(*arguments)
        error = json.loads(done.stdout)["error"]
        assert (done.returncode, error["exit_code"]) == (code, code)
        assert problem in error["message"]
        assert done.stderr == ""

    def test_the_ledger_fits_100_columns(self, tmp_path: Path) -> None:
        folder = tmp_path / "delivery"
        write(folder, "partners.northern_region_2026_06.csv", PARTNERS + PARTNER)
        write(folder, "bureau_public_records.csv", "report_id,record_id,kind,recorded_on,amount\n")
        creditops("ingest", "demo", str(folder), "--as-of", str(DAY), "--json")
        shown = creditops("ledger", COLUMNS="100").stdout
        table = [line for line in shown.splitlines() if not line.startswith("- ")]
        assert max(map(len, table)) <= 100
        for heading in ("batch", "delivery", "source", "file", "status", "read", "loaded", "same", "bad"):
            assert heading in table[2]

    def test_a_first_delivery_names_the_cell_its_line_and_the_remedy(
        self, contracts: Path, tmp_path: Path
    ) -> None:
        write(contracts, "tape.yml", TAPE.replace("type: int, unit: persons", "type: date"))
        rows = "".join(f"L{n},{n % 28 + 1:02d}.06.2026\n" for n in range(30))
        with pytest.raises(DataRefusedError) as refused:
            load(write(tmp_path, "tape.csv", "loan_no,n\n" + rows))
        assert "line 2: column 'n': '01.06.2026' is not a date" in refused.value.message
        assert 'date_format: "%d.%m.%Y"' in str(refused.value.hint)
        write(contracts, "tape.yml", TAPE.replace("type: int, unit: persons", "type: money, unit: currency"))
        with pytest.raises(DataRefusedError) as refused:
            load(
                write(tmp_path, "tape.b.csv", "loan_no;n\n" + "".join(f"L{n};1.500,50\n" for n in range(30)))
            )
        assert "line 2: column 'n': '1.500,50' is not" in refused.value.message
        assert 'decimal: ","' in str(refused.value.hint)

    def test_a_header_of_megabytes_is_cut(self, tmp_path: Path) -> None:
        names = ",".join(f"column_{n}_{'x' * 400}" for n in range(10_000))
        with pytest.raises(DataRefusedError) as refused:
            load(write(tmp_path, "partners.csv", f"partner_id,{names}\n"))
        assert "column 'name', 'channel', 'effective_date' is missing" in refused.value.message
        assert len(str(refused.value)) < 3000
        assert "and 9,981 more" in str(refused.value)

    def test_a_line_that_is_too_long_is_named(self, tmp_path: Path) -> None:
        rows = "".join(f"P{n},Name,online,2025-01-01\n" for n in range(5))
        path = write(tmp_path, "partners.csv", f"{PARTNERS}{rows}X,{'x' * (20 << 20)},online,2025-01-01\n")
        with pytest.raises(DataRefusedError, match="line 7 is longer than 8 MB"):
            load(path)

    def test_a_file_that_may_not_be_read_is_explained(self, tmp_path: Path) -> None:
        """As a user without rights: whoever runs the suite may have them all."""
        path = write(tmp_path, "partners.csv", PARTNERS + PARTNER)
        explained = _as_ours(PermissionError(errno.EACCES, "Permission denied", str(path)))
        assert explained.exit_code == 2
        assert f"{path}: this user may not read or write it" in explained.message
        assert "give" in str(explained.hint)


@pytest.mark.usefixtures("warehouse")
def test_a_second_run_for_the_same_key_says_that_it_waits_for_the_first() -> None:
    partition = Partition("demo", DAY)
    with connect("publisher", autocommit=True) as first:
        first.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (f"run {partition.key}",))
        second = run_local("ingest", partition)
        waits = next(second)
        assert (waits.step, waits.state) == ("wait", "running")
        assert f"another run for {partition.key} is under way" in str(waits.note)
        other = next(run_local("ingest", Partition("other", DAY)))
        assert other.step == "ingest_reference"
    assert [(each.step, each.state) for each in second] == [
        ("wait", "success"),
        *(
            (f"ingest_{domain}", state)
            for domain in ("reference", "repayment", "financial", "bureau")
            for state in ("running", "success")
        ),
    ]
