"""What a load does with late, repeated, widened, re-typed and unfinished files, and with rows replayed."""

from __future__ import annotations

import os
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from creditops.adapters import adapter_names, load_adapter
from creditops.books import currency
from creditops.cli import app
from creditops.errors import DataRefusedError
from creditops.ingest import quarantine
from creditops.ingest.check.validation import validate
from creditops.ingest.land.landing import deliveries, delivery_folder, files_being_written, landed_files
from creditops.ingest.write.loader import load_delivery
from creditops.reading.reader import LINE
from creditops.settings import get_settings
from creditops.sources.contract import load_contract, load_contracts
from tests.ingest.files import DAY, deliver, select

COLUMNS = [column.name for column in load_contract("payments").columns]


def payment(number: int, amount: str = "10.50", **more: Any) -> dict[str, Any]:
    return {
        "payment_id": f"P{number}",
        "facility_id": "F1",
        "value_date": "2026-05-09",
        "amount": amount,
        "currency": "CNY",
        **more,
    }


@pytest.mark.usefixtures("warehouse")
class TestOrder:
    def test_files_say_the_same_of_every_time_in_any_order(self, tmp_path: Path) -> None:
        files = [
            (DAY + timedelta(days=30 * number), [payment(1, amount), payment(2)])
            for number, amount in enumerate(("1.00", "2.00", "1.00", "1.00"))
        ]
        ends = []
        for book, order in (("demo", (0, 1, 2, 3)), ("other", (0, 3, 1, 2)), ("third", (0, 2, 1, 3))):
            for number in order:
                day, rows = files[number]
                deliver(tmp_path, "payments", rows, day=day, book=book, name=f"payments.{number}.csv")
            ends.append(
                select(  # a version that repeats the one before it says nothing new
                    "select payment_id, amount, loaded_at from (select payment_id, amount::text, loaded_at,"
                    " lag(_row_hash) over (partition by payment_id order by loaded_at, _batch_id) as before,"
                    " _row_hash from raw.payments where book = %s) as versions"
                    " where before is distinct from _row_hash order by payment_id, loaded_at",
                    book,
                )
            )
            assert select("select count(*) from ops.load_unreconciled") == [(0,)]
        assert [row[1] for row in ends[0]] == ["1.00", "2.00", "1.00", "10.50"]
        assert ends[1:] == [ends[0]] * 2

    def test_a_late_row_is_a_row_of_its_delivery(self, tmp_path: Path) -> None:
        deliver(tmp_path, "payments", [payment(1)])
        late = deliver(
            tmp_path, "payments", [payment(2, value_date="2025-01-01")], day=DAY + timedelta(days=31)
        )
        assert late.rows_loaded == 1
        assert select("select value_date < loaded_at::date from raw.payments where payment_id = 'P2'") == [
            (True,)
        ]


@pytest.mark.usefixtures("warehouse")
class TestColumns:
    def test_extra_columns_are_kept_aside_and_reported(self, tmp_path: Path) -> None:
        rows = [payment(1, branch="031", teller="张三丰"), payment(2, branch="", teller="13912345678")]
        result = deliver(tmp_path, "payments", rows, columns=[*COLUMNS, "branch", "teller"])
        assert result.message == "columns not in the contract were kept aside: branch, teller"
        kept = select("select line, cells from ops.undeclared_cells order by line")
        assert [line for line, _ in kept] == [2, 3]
        assert kept[0][1]["branch"] == "031"
        assert len(kept[0][1]["teller"]) == 64
        assert "branch" not in kept[1][1]
        assert "张三丰" not in str(kept)
        assert "13912345678" not in str(kept)

    def test_a_retyped_column_is_refused_also_where_it_is_seldom_filled(self, tmp_path: Path) -> None:
        rows = [payment(number) for number in range(5_000)]
        for number in range(0, 5_000, 200):
            rows[number]["booked_at"] = "45000.5"
        deliver(tmp_path, "payments", [payment(-1)], name="payments.before.csv")
        with pytest.raises(DataRefusedError, match=r"'booked_at' has changed its type: 25 of 25"):
            deliver(tmp_path, "payments", rows)
        assert select("select count(*) from raw.payments") == [(1,)]

    def test_a_breach_of_a_warning_is_loaded_and_listed(self, tmp_path: Path) -> None:
        items = [
            {
                "due_item_id": f"D{number}",
                "facility_id": "F1",
                "kind": "instalment",
                "due_date": "2026-05-09",
                "amount_due": "10.00",
                "principal": "9.00" if number % 3 else "8.00",
                "interest": "1.00",
                "currency": "CNY",
            }
            for number in range(9)
        ]
        result = deliver(tmp_path, "due_items", items)
        assert result.rows_loaded == 9
        assert result.warnings == ("parts_make_the_whole: 3 rows, first line 2",)
        assert select("select check_name, rows_failed, first_line from ops.load_warning") == [
            ("parts_make_the_whole", 3, 2)
        ]


@pytest.mark.usefixtures("warehouse")
class TestCurrency:
    """A book has one currency; a row in another is nothing to add up or to settle with (docs/domain.md)."""

    SOURCES = tuple(
        name
        for name, contract in load_contracts().items()
        if any(c.name == "currency" for c in contract.columns)
    )

    def test_every_source_with_a_currency_refuses_another_one(self) -> None:
        assert {"facilities", "due_items", "payments", "statements"} <= set(self.SOURCES)
        for name in self.SOURCES:
            contract = load_contract(name)
            cells = {column.name: [None, None] for column in contract.columns} | {"currency": ["CNY", "USD"]}
            frame = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String)).with_row_index(LINE, offset=2)
            bad = validate(frame.with_columns(pl.col(LINE).cast(pl.Int64)), contract, currency="CNY").bad
            said = {
                row.line: [why["reason"] for why in row.reasons if why["column"] == "currency"] for row in bad
            }
            assert "is not the book's currency, CNY" in str(said[3])
            assert said.get(2, []) == []

    def test_a_row_in_another_currency_waits_in_quarantine_until_the_book_has_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = [payment(number) for number in range(200)]
        rows[7]["currency"] = "USD"
        result = deliver(tmp_path, "payments", rows)
        assert (result.rows_loaded, result.rows_quarantined) == (199, 1)
        ((reasons,),) = select("select reasons from ops.quarantine")
        assert reasons[0]["column"] == "currency"
        assert reasons[0]["reason"].startswith("is not the book's currency, CNY")

        monkeypatch.setenv("CREDITOPS_BOOK_CURRENCIES", '{"abroad": "USD"}')
        get_settings.cache_clear()
        abroad = [payment(number, currency="USD") for number in range(3)]
        assert deliver(tmp_path, "payments", abroad, book="abroad").rows_loaded == 3

    def test_the_adapters_books_are_in_the_currency_of_their_sets(self) -> None:
        for adapter in (load_adapter(name) for name in adapter_names()):
            stated = {
                output.columns["currency"].constant
                for output in adapter.mapping.outputs
                if "currency" in output.columns
            }
            assert stated <= {currency(adapter.book)}, adapter.name


@pytest.mark.usefixtures("warehouse")
class TestCells:
    def test_a_time_is_the_same_fact_however_it_is_written(self, tmp_path: Path) -> None:
        written = [
            "2026-05-09 10:00:00",
            "2026-05-09T10:00",
            "2026-05-09 02:00:00Z",
            "2026-05-09T10:00:00.000+08:00",
            "2026-05-08 21:30:00-0430",
        ]
        loaded = [
            deliver(tmp_path, "payments", [payment(1, booked_at=text)], name=f"payments.{number}.csv")
            for number, text in enumerate(written)
        ]
        assert [result.rows_loaded for result in loaded] == [1, 0, 0, 0, 0]
        assert select("select booked_at at time zone 'UTC' from raw.payments")[0][0].hour == 2

    def test_a_cell_without_end_and_a_key_too_long_to_index_are_quarantined(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CREDITOPS_BAD_ROW_LIMIT", "0.9")
        get_settings.cache_clear()
        point = {"period": "2026-05-31", "value": "1", "published_on": "2026-06-10"}
        rows = [{"series_id": name, **point} for name in ("cpi", "x" * 3_000, "y" * 70_000)]
        result = deliver(tmp_path, "macro_series", rows)
        assert (result.rows_loaded, result.rows_quarantined) == (1, 2)


@pytest.mark.usefixtures("warehouse")
class TestUnfinishedFiles:
    def write(self, name: str, *rows: dict[str, Any]) -> Path:
        folder = delivery_folder("demo", DAY)
        folder.mkdir(parents=True, exist_ok=True)
        lines = [",".join(str(row.get(column, "")) for column in COLUMNS) for row in rows]
        path = folder / name
        path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
        return path

    def test_a_file_still_being_written_is_left_alone_and_said(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path / "home"))
        get_settings.cache_clear()
        growing = self.write("payments.growing.csv", payment(1))
        marked = self.write("payments.marked.csv", payment(2))
        settled = self.write("payments.settled.csv", payment(3))
        hour_ago = time.time() - 3_600
        os.utime(settled, (hour_ago, hour_ago))
        marked.with_name(f"{marked.name}.done").touch()
        assert [landed.path for landed in files_being_written("demo", DAY)] == [growing]
        with caplog.at_level("WARNING"):
            whole = landed_files("demo", DAY, {"payments"})
        assert [landed.path for landed in whole] == [marked, settled]
        assert "payments.growing.csv is still being written" in caplog.text

    def test_the_ledger_says_what_is_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "200")
        self.write("payments.growing.csv", payment(1))
        (delivery_folder("demo", DAY).parent / "2026-5-3").mkdir()
        told = CliRunner().invoke(app, ["ledger", "--book", "demo"]).stdout
        assert f"left alone, still being written: demo/{DAY}/payments.growing.csv" in told
        assert "left alone, not named BOOK/YYYY-MM-DD: demo/2026-5-3" in told
        assert deliveries() == [("demo", DAY)]


@pytest.mark.usefixtures("warehouse")
class TestReplay:
    def test_a_line_on_which_another_row_stands_now_is_not_replayed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CREDITOPS_BAD_ROW_LIMIT", "0.5")
        get_settings.cache_clear()
        deliver(tmp_path, "payments", [payment(1), payment(2, "1.555"), payment(3)])
        deliver(tmp_path, "payments", [payment(1), payment(8), payment(3)])
        outcome = quarantine.replay(None, book="demo", actor="ops")
        assert (outcome.loaded, outcome.still_bad) == (0, 1)
        assert select("select status from ops.quarantine") == [("open",)]

    def test_what_had_not_happened_yet_is_replayed_when_its_day_has_come(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A payment with the value date of Monday, delivered on Friday."""
        monkeypatch.setenv("CREDITOPS_BAD_ROW_LIMIT", "0.7")
        get_settings.cache_clear()
        rows = [
            payment(1),
            payment(2, value_date=f"{DAY + timedelta(days=3)}"),
            payment(3, value_date="2099-01-01"),
        ]
        assert deliver(tmp_path, "payments", rows).rows_quarantined == 2
        outcome = quarantine.replay(None, book="demo", actor="ops")
        assert (outcome.loaded, outcome.still_bad) == (1, 1)
        (row,) = quarantine.open_rows("demo")
        assert "lies after the delivery" in row["reasons"][0]["reason"]

    def test_a_replay_is_audited_row_by_row(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CREDITOPS_BAD_ROW_LIMIT", "0.5")
        get_settings.cache_clear()
        deliver(tmp_path, "payments", [payment(1), payment(2, "1.555"), payment(3)])
        landed = delivery_folder("demo", DAY) / "payments.csv"
        landed.write_text(landed.read_text().replace("1.555", "1.55"))
        (row,) = quarantine.open_rows("demo")
        assert quarantine.replay([row["quarantine_id"]], book=None, actor="ops").loaded == 1
        assert select("select actor, action, after from ops.audit where actor <> 'creditops'") == [
            ("ops", "quarantine.replayed", [row["quarantine_id"]])
        ]
        assert select("select count(*) from ops.load_unreconciled") == [(0,)]


@pytest.mark.usefixtures("warehouse")
def test_a_delivery_with_a_refused_file_loads_the_files_beside_it(tmp_path: Path) -> None:
    deliver(tmp_path, "payments", [payment(1)])
    day = date(2026, 2, 3)
    folder = delivery_folder("demo", day)
    folder.mkdir(parents=True)
    header = ",".join(COLUMNS)
    for name, text in (("a", "no header at all\n"), ("b", f"{header}\nP2,F1,,2026-01-09,,1.00,CNY,,\n")):
        path = folder / f"payments.{name}.csv"
        path.write_text(text)
        path.with_name(f"{path.name}.done").touch()
    with pytest.raises(DataRefusedError, match=r"payments\.a\.csv"):
        load_delivery("demo", day, "repayment")
    assert select("select count(*) from raw.payments") == [(2,)]
