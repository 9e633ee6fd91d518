"""Full snapshots and change events: what is gone gets a tombstone, and a cut-off file deletes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from creditops.errors import DataRefusedError
from creditops.settings import get_settings
from tests.ingest.files import add_source, deliver, select

JULY, AUGUST = date(2026, 7, 31), date(2026, 8, 31)
NOTE = {"en": "Text.", "zh": "文字。"}


def seats(numbers: range | list[int], **changes: str) -> list[dict[str, str]]:
    return [{"seat_id": f"S{number}", "holder": changes.get(f"S{number}", "x")} for number in numbers]


def contract(source: str, delivery: dict[str, Any], *more: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": source,
        "domain": "reference",
        "version": 1,
        "description": NOTE,
        "grain": "one row per seat",
        "key": ["seat_id"],
        "delivery": delivery,
        "columns": [
            {"name": "seat_id", "type": "id", "required": True, "description": NOTE},
            {"name": "holder", "type": "text", "max_length": 5, "description": NOTE},
            *more,
        ],
    }


@pytest.fixture
def own_sources(warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CREDITOPS_SOURCES_PATH", "")
    add_source(contract("seats", {"mode": "snapshot"}))
    operation = {
        "name": "op",
        "type": "code",
        "values": {"put": NOTE, "gone": NOTE},
        "description": NOTE,
    }
    changes = {"mode": "changes", "operation": "op", "deletes": ["gone"]}
    add_source(contract("seat_changes", changes, operation))
    yield
    for name in ("seats", "seat_changes"):
        (get_settings().home / "contracts" / f"{name}.yml").unlink()
    from creditops.sources import contract as contracts

    contracts._load_all.cache_clear()


def in_force(table: str = "seats") -> set[str]:
    rows = select(
        f"select seat_id from (select distinct on (seat_id) * from raw.{table}"
        " order by seat_id, loaded_at desc, _batch_id desc) as latest where not _deleted"
    )
    return {row[0] for row in rows}


@pytest.mark.usefixtures("own_sources")
class TestSnapshots:
    def test_a_row_that_is_not_delivered_any_more_gets_a_tombstone(self, tmp_path: Path) -> None:
        deliver(tmp_path, "seats", seats(range(20)))
        result = deliver(tmp_path, "seats", seats(range(1, 21)), day=JULY)
        assert (result.rows_read, result.rows_loaded, result.rows_unchanged) == (20, 1, 19)
        assert result.rows_deleted == 1
        assert in_force() == {f"S{number}" for number in range(1, 21)}
        rows = select("select holder, _deleted from raw.seats where seat_id = 'S0' order by _batch_id")
        assert rows == [("x", False), ("x", True)]
        assert select("select count(*) from ops.load_unreconciled") == [(0,)]

    def test_a_row_that_comes_back_is_there_again_and_stays(self, tmp_path: Path) -> None:
        deliver(tmp_path, "seats", seats(range(20)))
        deliver(tmp_path, "seats", seats(range(1, 20)), day=JULY)
        back = deliver(tmp_path, "seats", seats(range(20)), day=AUGUST)
        assert (back.rows_loaded, back.rows_deleted) == (1, 0)
        assert "S0" in in_force()

    def test_a_snapshot_that_would_drop_over_a_tenth_is_refused_until_confirmed(self, tmp_path: Path) -> None:
        deliver(tmp_path, "seats", seats(range(20)))
        with pytest.raises(DataRefusedError, match="lacks 3 of 20 known rows") as refused:
            deliver(tmp_path, "seats", seats(range(17)), day=JULY)
        assert refused.value.exit_code == 3
        assert "--confirm-deletions" in str(refused.value.hint)
        assert len(in_force()) == 20
        result = deliver(tmp_path, "seats", seats(range(17)), day=JULY, confirm_deletions=True)
        assert result.rows_deleted == 3
        assert len(in_force()) == 17

    def test_a_quarantined_row_does_not_count_as_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CREDITOPS_BAD_ROW_LIMIT", "0.2")
        get_settings.cache_clear()
        deliver(tmp_path, "seats", seats(range(20)))
        result = deliver(tmp_path, "seats", seats(range(20), S4="too long"), day=JULY)
        assert (result.rows_quarantined, result.rows_deleted) == (1, 0)
        assert "S4" in in_force()

    def test_nothing_is_buried_while_a_bad_row_hides_its_key(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CREDITOPS_BAD_ROW_LIMIT", "0.2")
        get_settings.cache_clear()
        deliver(tmp_path, "seats", seats(range(20)))
        nameless = [*seats(range(1, 20)), {"seat_id": "", "holder": "x"}]
        result = deliver(tmp_path, "seats", nameless, day=JULY)
        assert result.rows_deleted == 0
        assert "do not tell their key" in str(result.message)

    def test_snapshots_out_of_order_end_as_in_order(self, tmp_path: Path) -> None:
        deliver(tmp_path, "seats", seats(range(20)))
        deliver(tmp_path, "seats", seats(range(20), S5="new"), day=date(2026, 9, 30), name="seats.c.csv")
        deliver(tmp_path, "seats", seats(range(1, 20), S5="mid"), day=JULY, name="seats.b.csv")
        assert in_force() == {f"S{number}" for number in range(20)}
        rows = select("select holder, _deleted from raw.seats where seat_id = 'S5' order by loaded_at")
        assert rows == [("x", False), ("mid", False), ("new", False)]
        gone = select("select _deleted from raw.seats where seat_id = 'S0' order by loaded_at, _batch_id")
        assert gone == [(False,), (True,), (False,)]


@pytest.mark.usefixtures("own_sources")
def test_change_events_delete_and_the_last_event_of_a_key_counts(tmp_path: Path) -> None:
    first = [{**row, "op": "put"} for row in seats(range(5))]
    deliver(tmp_path, "seat_changes", first)
    events = [
        {"seat_id": "S1", "holder": "y", "op": "put"},
        {"seat_id": "S1", "holder": "z", "op": "put"},
        {"seat_id": "S2", "op": "gone"},
        {"seat_id": "S9", "op": "gone"},
    ]
    result = deliver(tmp_path, "seat_changes", events, day=JULY)
    assert (result.rows_read, result.rows_loaded, result.rows_unchanged) == (4, 2, 2)
    assert in_force("seat_changes") == {"S0", "S1", "S3", "S4"}
    rows = select("select holder from raw.seat_changes where seat_id = 'S1' order by loaded_at, _batch_id")
    assert rows == [("x",), ("z",)]
