"""Every fault of the simulator's catalogue ends as the contracts demand, through the real loader."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from creditops.errors import DataRefusedError
from creditops.ingest import quarantine
from creditops.ingest.check.orphans import list_orphans
from creditops.ingest.land.landing import land
from creditops.ingest.write.loader import LoadResult, load_file
from creditops.settings import get_settings
from creditops.simulate import simulate
from creditops.simulate.faults import FAULTS, Fault, inject_faults
from creditops.simulate.faults.table import Table
from tests.ingest.real_books import select

DAY = date(2026, 6, 30)
REFERRED_TO = ("facilities", "due_items", "payments")
REFERENCE = ("customers", "products", "partners", "applications", *REFERRED_TO)


@dataclass(frozen=True)
class Spoilt:
    """A book of its own whose file was spoilt: what was injected and what the loader made of it."""

    fault: Fault
    rows: int
    book: str
    sound: int
    results: list[LoadResult]
    refused: DataRefusedError | None

    @property
    def main(self) -> LoadResult:
        return self.results[0]


@pytest.fixture(scope="module")
def sound(module_warehouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Source files of a small book without faults; files are refused from 5 % bad rows on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDITOPS_BAD_ROW_LIMIT", "0.05")
        get_settings.cache_clear()
        folder = tmp_path_factory.mktemp("sound")
        simulate(folder, customers=50, months=18, seed=3)
        yield folder
    get_settings.cache_clear()


@pytest.fixture
def spoil(sound: Path, tmp_path: Path) -> Callable[..., Spoilt]:
    def run(name: str, *beside: str) -> Spoilt:
        fault, book = FAULTS[name], f"f_{name}"
        for source in {fault.source, *beside}:
            shutil.copyfile(sound / f"{source}.csv", tmp_path / f"{source}.csv")
        (injected,) = inject_faults(tmp_path, [name], seed=1)
        results: list[LoadResult] = []
        refused: DataRefusedError | None = None
        for landed in land(book, [tmp_path], DAY):
            try:
                result = load_file(landed)
            except DataRefusedError as error:
                refused = error
            else:
                if landed.source == fault.source:
                    results.append(result)
        rows = len(Table.read(sound, fault.source).rows)
        return Spoilt(fault, injected.rows, book, rows, results, refused)

    return run


def named(*outcomes: str, but: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    names = [name for name, fault in FAULTS.items() if fault.outcome in outcomes and name not in but]
    return pytest.mark.parametrize("name", names)


def raw_rows(spoilt: Spoilt) -> int:
    ((count,),) = select(f"select count(*) from raw.{spoilt.fault.source} where book = %s", spoilt.book)
    return int(count)


def test_the_catalogue_is_wide_and_speaks_both_languages() -> None:
    assert len(FAULTS) >= 30
    assert {fault.outcome for fault in FAULTS.values()} == {
        "refused",
        "quarantined",
        "loaded",
        "unchanged",
        "orphan",
    }
    assert all(fault.en and fault.zh for fault in FAULTS.values())


@named("refused", but=("snapshot_shrunk",))
def test_a_broken_file_is_refused_whole(name: str, spoil: Callable[..., Spoilt]) -> None:
    spoilt = spoil(name)
    assert spoilt.refused is not None
    assert spoilt.fault.says in spoilt.refused.message
    assert spoilt.fault.source in spoilt.refused.message
    assert spoilt.refused.hint
    assert raw_rows(spoilt) == 0
    assert quarantine.open_rows(spoilt.book) == []
    assert select("select distinct status from ops.load_ledger where book = %s", spoilt.book) == [
        ("refused",)
    ]


@named("quarantined")
def test_faulty_rows_are_quarantined_and_the_others_loaded(name: str, spoil: Callable[..., Spoilt]) -> None:
    spoilt = spoil(name)
    assert spoilt.refused is None
    read, bad = spoilt.main.rows_read, spoilt.main.rows_quarantined
    assert bad == (1 if name == "cut_last_line" else spoilt.rows)
    assert spoilt.main.rows_loaded == read - bad
    assert raw_rows(spoilt) == read - bad
    rows = quarantine.open_rows(spoilt.book)
    assert len(rows) == bad
    for row in rows:
        assert any(spoilt.fault.says in reason["reason"] for reason in row["reasons"]), row["reasons"]


@named("loaded")
def test_a_fault_of_form_loses_no_row(name: str, spoil: Callable[..., Spoilt]) -> None:
    spoilt = spoil(name)
    assert spoilt.refused is None
    loaded = sum(result.rows_loaded for result in spoilt.results)
    expected = {"header_only": 0, "restated_statements": spoilt.sound + spoilt.rows}
    assert loaded == expected.get(name, spoilt.sound)
    assert raw_rows(spoilt) == loaded
    assert all(result.rows_quarantined == 0 for result in spoilt.results)
    assert spoilt.fault.says in (spoilt.main.message or "")


@named("unchanged")
def test_a_repeat_loads_nothing_new(name: str, spoil: Callable[..., Spoilt]) -> None:
    spoilt = spoil(name)
    assert sum(result.rows_unchanged for result in spoilt.results) == spoilt.rows
    assert raw_rows(spoilt) == spoilt.sound


@named("orphan")
def test_an_orphan_is_loaded_and_listed(name: str, spoil: Callable[..., Spoilt]) -> None:
    spoilt = spoil(name, *REFERRED_TO)
    assert raw_rows(spoilt) == spoilt.sound
    orphans = [
        each for each in list_orphans(spoilt.book, spoilt.fault.source) if each.missing_in != "customers"
    ]
    assert len(orphans) == spoilt.rows
    assert {each.missing_in for each in orphans} == {spoilt.fault.says}


def test_restated_statements_keep_both_versions(spoil: Callable[..., Spoilt]) -> None:
    spoilt = spoil("restated_statements")
    versions = select(
        "select count(*), count(distinct revenue) from raw.statements where book = %s"
        " group by customer_id, period_end having count(*) > 1",
        spoilt.book,
    )
    assert versions == [(2, 2)] * spoilt.rows


_MASTER = """
source: customer_master
domain: reference
version: 1
description: {en: "Every customer there is.", zh: "全部客户名单。"}
grain: one row per customer
key: [customer_id]
effective: effective_date
available: [effective_date]
delivery: {mode: snapshot}
columns:
  - {name: customer_id, type: id, required: true, description: {en: "Customer.", zh: "客户编号。"}}
  - {name: effective_date, type: date, required: true, description: {en: "Since when.", zh: "生效日。"}}
"""


def test_a_shrunk_snapshot_is_refused(sound: Path, tmp_path: Path) -> None:
    """The guard holds where the contract says that a delivery is the whole list."""
    shutil.copyfile(sound / "customers.csv", tmp_path / "customers.csv")
    inject_faults(tmp_path, ["snapshot_shrunk"], seed=1)
    contracts = get_settings().home / "contracts"
    contracts.mkdir(exist_ok=True)
    (contracts / "customer_master.yml").write_text(_MASTER, encoding="utf-8")
    try:
        for number, file in enumerate(("customers.csv", "customers.next.csv")):
            content = (tmp_path / file).read_bytes()
            (tmp_path / "customer_master.csv").write_bytes(content)
            (landed,) = land("f_shrunk", [tmp_path / "customer_master.csv"], DAY + timedelta(days=number))
            if number == 0:
                before = load_file(landed).rows_loaded
            else:
                with pytest.raises(DataRefusedError, match=FAULTS["snapshot_shrunk"].says):
                    load_file(landed)
        assert select("select count(*) from raw.customer_master") == [(before,)]
    finally:
        (contracts / "customer_master.yml").unlink()
