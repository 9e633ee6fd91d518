"""How landed files are shared out over the mapped tasks of an ingest run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from creditops.errors import DataRefusedError
from creditops.ingest.land.landing import LandedFile, land
from creditops.ingest.land.units import Unit, landed_units, pack, unit_files
from creditops.settings import get_settings

DAY = date(2026, 6, 30)
LIMIT = 1000
Landing = Callable[[dict[str, int]], list[LandedFile]]


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Landing]:
    """A function that puts files of the given sizes into a landing zone."""
    monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path))
    get_settings.cache_clear()
    folder = get_settings().landing / "demo" / DAY.isoformat()
    folder.mkdir(parents=True)

    def put(sizes: dict[str, int]) -> list[LandedFile]:
        for old in folder.iterdir():
            old.unlink()
        for name, size in sizes.items():
            with (folder / name).open("wb") as file:
                file.truncate(size)
        return [LandedFile(folder / name, "demo", name.split(".")[0], DAY) for name in sizes]

    yield put
    get_settings.cache_clear()


def _names(units: list[Unit]) -> list[list[str]]:
    return [[landed.path.name for landed in unit.files] for unit in units]


def test_a_large_file_has_a_task_of_its_own_and_small_ones_share_one(landing: Landing) -> None:
    files = landing({"payments.csv": 5000, "due_items.csv": 900, "disputes.csv": 300, "promises.csv": 300})
    assert _names(pack(files, LIMIT)) == [
        ["disputes.csv", "promises.csv"],
        ["due_items.csv"],
        ["payments.csv"],
    ]


def test_files_of_one_source_stay_together_in_the_order_of_their_names(landing: Landing) -> None:
    files = landing(
        {"disputes.resolved.csv": 10, "payments.b.csv": 800, "disputes.csv": 10, "payments.a.csv": 800}
    )
    assert _names(pack(files, LIMIT)) == [
        ["disputes.csv", "disputes.resolved.csv"],
        ["payments.a.csv", "payments.b.csv"],
    ]


@given(
    st.dictionaries(
        st.builds("{}.{}.csv".format, st.sampled_from("abcdefgh"), st.integers(0, 5)), st.integers(0, 2500)
    )
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_file_is_in_one_unit_and_no_source_is_in_two(landing: Landing, sizes: dict[str, int]) -> None:
    units = pack(landing(sizes), LIMIT)
    assert sorted(name for names in _names(units) for name in names) == sorted(sizes)
    sources = [source for unit in units for source in {landed.source for landed in unit.files}]
    assert len(sources) == len(set(sources))
    for unit in units:
        assert unit.size == sum(sizes[landed.path.name] for landed in unit.files)
        assert unit.size <= LIMIT or len({landed.source for landed in unit.files}) == 1


def test_a_unit_is_told_by_names_and_a_file_taken_away_is_named(landing: Landing, tmp_path: Path) -> None:
    landing({})
    path = tmp_path / "disputes.csv"
    path.write_text("dispute_id\n")
    (landed,) = land("demo", [path], DAY)
    (unit,) = landed_units("demo", DAY, "repayment")
    assert unit.names == ["demo/2026-06-30/disputes.csv"]
    assert landed_units("demo", DAY, "bureau") == []
    assert unit_files("demo", DAY, unit.names) == [landed]
    landed.path.unlink()
    with pytest.raises(DataRefusedError, match=r"demo/2026-06-30/disputes\.csv was landed and is gone"):
        unit_files("demo", DAY, unit.names)
