"""A cell is read exactly as it was meant, or it is a fault: numbers, dates, errors of sheets."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import Any

import openpyxl
import polars as pl
import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest

from creditops.errors import DataRefusedError
from creditops.ingest.check.privacy import hash_series, one_spelling
from creditops.ingest.check.validation import Validated, validate
from creditops.onboarding.sample import read_sample
from creditops.reading.canonical_cells import as_contract_writes
from creditops.reading.reader import LINE, open_source_file, read_batches
from creditops.settings import PROJECT_ROOT
from creditops.sources.column import Column
from creditops.sources.contract import Contract, load_contract
from creditops.sources.model import FileFormat
from tests.contract.open_document import write_ods
from tests.contract.random_sheets import RandomSheet

TYPES = {
    "no": "id", "rate": "rate", "balance": "money", "count": "int", "on": "date", "at": "ts", "note": "text",
    "paid": "bool",
}  # fmt: skip
NOTES = ["上\u2028海", "ĊĀ"]  # in UTF-16 the bytes of the second hold those of line feeds
TWO_IDS = [620000000000000001, 620000000000000002]


def contract(*names: str, form: dict[str, Any] | None = None, **options: dict[str, Any]) -> Contract:
    """Columns of these names, the first of them the key."""
    return Contract.model_validate(
        {
            "source": "loans", "domain": "reference", "version": 1, "grain": "one row per loan",
            "key": [names[0]], "description": {"en": "Loans.", "zh": "贷款。"}, "format": form or {},
            "columns": [
                {"name": name, "type": TYPES[name], "required": name == names[0],
                 "description": {"en": name, "zh": "列"}, **options.get(name, {})}
                for name in names
            ],
        }
    )  # fmt: skip


def load(path: Path, under: Contract, delivery: date | None = None) -> Validated:
    (batch,) = read_batches(open_source_file(path, under, delivery=delivery))
    return validate(batch, under, zone="Asia/Shanghai", delivery=delivery)


def sheet(path: Path, *rows: list[Any], formats: dict[str, str] | None = None) -> Path:
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    for cell, number_format in (formats or {}).items():
        workbook.active[cell].number_format = number_format
    workbook.save(path)
    return path


class TestSheets:
    def test_a_share_shown_as_per_cent_is_not_divided_again(self, tmp_path: Path) -> None:
        shown = {"B2": "0.00%", "B3": "0%", "B4": '0.00"%"'}
        rows = [["no", "rate"], ["a", 0.0725], ["b", 0.07], ["c", 7.25], ["d", 7.25], ["e", "7.25%"]]
        path = sheet(tmp_path / "loans.xlsx", *rows, formats=shown)
        per_cent = load(path, contract("no", "rate", rate={"percent": True}))
        assert per_cent.good["rate"].to_list() == [0.0725, 0.07, 0.0725, 0.0725, 0.0725]
        as_share = load(path, contract("no", "rate"))
        assert as_share.good["rate"].to_list() == [0.0725, 0.07, 7.25, 7.25]
        assert [row.reasons[0]["value"] for row in as_share.bad] == ["7.25%"]

    def test_an_error_is_a_fault_in_whatever_column(self, tmp_path: Path) -> None:
        names = ("no", "balance", "note", "on")
        errors = ["#DIV/0!", "#N/A", "#REF!"]
        path = sheet(tmp_path / "loans.xlsx", list(names), ["a", 100.5, "#1", None], ["b", *errors])
        checked = load(path, contract(*names))
        assert checked.good.rows() == [(2, "a", 10050, "#1", None)]
        assert [(each["column"], each["value"]) for each in checked.bad[0].reasons] == list(
            zip(names[1:], errors, strict=True)
        )
        assert "\x1a" not in checked.bad[0].row_text
        as_null = load(path, contract(*names, form={"null_values": errors}))
        assert as_null.good.rows()[1] == (3, "b", None, None, None)

    def test_a_draft_sees_what_a_user_sees_and_learns_nothing_from_errors(self, tmp_path: Path) -> None:
        rows = [[f"L{number:03}", 0.0725, 100.5 + number] for number in range(30)]
        rows[3][2] = "#DIV/0!"
        formats = {f"B{number}": "0.00%" for number in range(2, 32)}
        cells = read_sample(
            sheet(tmp_path / "loans.xlsx", ["no", "rate", "balance"], *rows, formats=formats)
        ).cells
        assert cells.row(3) == ("L003", "7.25%", None)
        assert cells.row(4) == ("L004", "7.25%", "104.5")

    def test_a_formula_without_a_stored_value_is_a_fault(self, tmp_path: Path) -> None:
        path = sheet(tmp_path / "loans.xlsx", ["no", "balance", "note"], ["a", "=1+1", "=B2"], ["b", 1, None])
        checked = load(path, contract("no", "balance", "note"))
        assert checked.good["no"].to_list() == ["b"]
        assert [(each["column"], each["value"]) for each in checked.bad[0].reasons] == [
            ("balance", "=1+1"),
            ("note", "=B2"),
        ]

    def test_midnight_is_of_dates_only(self, tmp_path: Path) -> None:
        at = datetime(2026, 5, 31)
        path = sheet(tmp_path / "loans.xlsx", ["no", "note", "on", "at"], ["a", "due 00:00:00", at, at])
        row = load(path, contract("no", "note", "on", "at")).good.row(0)
        assert row[2:4] == ("due 00:00:00", date(2026, 5, 31))

    def test_identifiers_are_whole_or_refused(self, tmp_path: Path) -> None:
        path = sheet(tmp_path / "loans.xlsx", ["no", "count"], [1001.0, 3.0], [2**53, 4], ["007", None])
        checked = load(path, contract("no", "count"))
        assert checked.good["no"].to_list() == ["1001", "9007199254740992", "007"]
        assert checked.good["count"].to_list() == [3, 4, None]
        path = sheet(tmp_path / "loans.xlsx", ["no"], ["a"], *([number] for number in TWO_IDS))
        with pytest.raises(DataRefusedError, match=r"loans\.xlsx: row 3, column 'no'") as refused:
            load(path, contract("no"))
        assert "as text" in str(refused.value.hint)

    def test_rows_keep_their_numbers_below_blank_ones(self, tmp_path: Path) -> None:
        path = sheet(tmp_path / "loans.xlsx", [], ["no"], [None], ["a"], [" "], ["b"])
        file = open_source_file(path, contract("no", form={"skip_lines": 1}))
        assert pl.concat(read_batches(file)).rows() == [(4, "a"), (6, "b")]

    def test_a_form_without_number_formats_is_read_as_far_as_it_says(self, tmp_path: Path) -> None:
        path = tmp_path / "loans.ods"
        write_ods(
            path,
            [
                ["no", "note", "on", "balance", "count"],
                [1001.0, "due 00:00:00", datetime(2026, 5, 31), 100.5, 3.0],
                [1002.0, "#N/A", None, 0.1 + 0.2, None],
            ],
        )
        checked = load(path, contract("no", "note", "on", "balance", "count"))
        assert checked.good.rows() == [(2, "1001", "due 00:00:00", date(2026, 5, 31), 10050, 3)]
        assert [each["value"] for each in checked.bad[0].reasons] == ["#N/A"]
        write_ods(path, [["no"], *([float(number)] for number in TWO_IDS)])
        with pytest.raises(DataRefusedError, match="column 'no'"):
            load(path, contract("no"))
        with pytest.raises(DataRefusedError, match=r"per cent cannot be seen in a \.ods file"):
            load(path, contract("no", "rate", rate={"percent": True}))


class TestFloats:
    def write(self, folder: Path, **columns: pa.Array) -> Path:
        arrow_parquet.write_table(pa.table(columns), folder / "loans.parquet")
        return folder / "loans.parquet"

    def test_whole_ones_are_integers(self, tmp_path: Path) -> None:
        path = self.write(
            tmp_path,
            no=pa.array([1001.0, 2.0**53]),
            count=pa.array([1.0, None]),
            paid=pa.array([1.0, 0.0]),
            note=pa.array([float("nan"), 1.5]),
            balance=pa.array([0.1 + 0.2, None]),
        )
        checked = load(path, contract("no", "count", "paid", "note", "balance"))
        assert checked.good.drop(LINE).rows() == [
            ("1001", 1, True, None, 30),
            ("9007199254740992", None, False, "1.5", None),
        ]

    @pytest.mark.parametrize(
        "values",
        [
            pa.array([1.0, *map(float, TWO_IDS)]),
            pa.array([1.0, 2.0**24 + 2], pa.float32()),
            pa.array([1.0, float("inf")]),
        ],
    )
    def test_identifiers_that_may_be_several_are_refused(self, tmp_path: Path, values: pa.Array) -> None:
        with pytest.raises(DataRefusedError, match=r"row \d, column 'no'"):
            load(self.write(tmp_path, no=values), contract("no"))

    def test_amounts_of_seven_digits_are_refused(self, tmp_path: Path) -> None:
        amounts = pa.array([1234567.89, 123456789.12], pa.float32())
        with pytest.raises(DataRefusedError, match="column 'balance' holds amounts as Float32"):
            load(self.write(tmp_path, no=pa.array(["a", "b"]), balance=amounts), contract("no", "balance"))

    def test_an_amount_is_a_cent_or_a_fault(self, tmp_path: Path) -> None:
        amounts = [123456789.12, 70_000_000_000_000.01, 5e7 + 0.005, 1e15 + 0.5]
        path = self.write(tmp_path, no=pa.array([*"abcd"]), balance=pa.array(amounts))
        checked = load(path, contract("no", "balance"))
        assert checked.good["balance"].to_list() == [12345678912, 7000000000000001]
        assert [row.line for row in checked.bad] == [3, 4]

    def test_a_time_at_midnight_is_a_date(self, tmp_path: Path) -> None:
        midnight, noon = datetime(2026, 5, 1), datetime(2026, 5, 1, 12)
        path = self.write(
            tmp_path,
            no=pa.array(["a", "b"]),
            on=pa.array([midnight, noon]),
            at=pa.array([midnight, noon]),
            note=pa.array([midnight, noon], pa.timestamp("ms", "Asia/Shanghai")),
        )
        assert load(path, contract("no", "on", "at")).good["on"].to_list() == [date(2026, 5, 1)]
        checked = load(path, contract("no", "on", "at"))
        assert [row.reasons[0]["column"] for row in checked.bad] == ["on"]

    def test_decimals_without_a_fraction_are_identifiers(self, tmp_path: Path) -> None:
        numbers = pa.array([TWO_IDS[0], TWO_IDS[1]], pa.int64()).cast(pa.decimal128(38, 4))
        assert load(self.write(tmp_path, no=numbers), contract("no")).good["no"].to_list() == [
            str(number) for number in TWO_IDS
        ]

    def test_json_keeps_the_digits_that_it_writes(self, tmp_path: Path) -> None:
        path = tmp_path / "loans.jsonl"
        rows = ['{"no": 1001.0, "count": 1.0}', f'{{"no": {TWO_IDS[0]}}}', '{"no": 6e2, "count": NaN}']
        path.write_text("\n".join(rows))
        checked = load(path, contract("no", "count"))
        assert checked.good["no"].to_list() == ["1001", str(TWO_IDS[0]), "600"]
        assert checked.good["count"].to_list() == [1, None, None]
        path.write_text("\n".join([*rows, '{"no": 6.2e+17}']))
        with pytest.raises(DataRefusedError, match=r"loans\.jsonl: row 4, column 'no': 6\.2e\+17"):
            load(path, contract("no"))

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "gb18030"])
    def test_json_in_any_encoding(self, tmp_path: Path, encoding: str) -> None:
        path = tmp_path / "loans.jsonl"
        lines = "\n".join(json.dumps({"no": "a", "note": note}, ensure_ascii=False) for note in NOTES)
        path.write_bytes(lines.encode(encoding))
        assert load(path, contract("no", "note")).good["note"].to_list() == NOTES


def written(type_: str, pattern: str, cell: str, *, delivery: date | None = None) -> str | None:
    """The cell as the contract writes it, ``None`` if it is a fault."""
    column = Column.model_validate(
        {
            "name": "c", "type": type_, "date_format": pattern, "past": delivery is not None,
            "description": {"en": "c", "zh": "列"},
        }
    )  # fmt: skip
    frame = pl.DataFrame({"c": [cell, "31.12.2026"]})
    found = frame.select(as_contract_writes(column, FileFormat(), delivery=delivery)).item(0, 0)
    return None if found.startswith("\x1a") else found


class TestDates:
    @pytest.mark.parametrize(
        ("pattern", "cell", "day"),
        [
            ("%Y%m%d", "20260123", "2026-01-23"),
            ("%Y%m%d", "2026123", None),
            ("%Y%m%d", "2026111", None),
            ("%Y%m%d", "２０２６0123", None),
            ("%y%m%d", "260123", "2026-01-23"),
            ("%d.%m.%Y", "5.1.2026", "2026-01-05"),
            ("%d.%m.%Y", "05.01.26", None),
            ("%d.%m.%Y", "30.02.2026", None),
            ("%d.%m.%Y", "2026-01-05", None),
            ("%Y-%d-%m", "2026-05-13", None),
            ("%Y年%m月%d日", "2026年1月5日", "2026-01-05"),
            ("%d %b %Y", "5 jan 2026", "2026-01-05"),
            ("%d-%B-%y", "05-December-68", "2068-12-05"),
            ("%d/%m/%Y", "05/01/2026 10:00", None),
        ],
    )
    def test_a_pattern_is_read_exactly(self, pattern: str, cell: str, day: str | None) -> None:
        assert written("date", pattern, cell) == day

    @pytest.mark.parametrize(
        ("pattern", "cell", "time"),
        [
            ("%d.%m.%Y %H:%M", "5.1.2026 9:05", "2026-01-05 09:05:00"),
            ("%Y%m%d%H%M%S", "20260105090507", "2026-01-05 09:05:07"),
            ("%Y%m%d%H%M%S", "2026010590507", None),
            ("%Y-%m-%dT%H:%M:%S.%f", "2026-01-05T09:05:07.5", "2026-01-05 09:05:07.5"),
            ("%Y-%m-%d %H:%M:%S%.f", "2026-01-05 09:05:07.123456", "2026-01-05 09:05:07.123456"),
            ("%m/%d/%Y %I:%M %p", "01/05/2026 12:05 am", "2026-01-05 00:05:00"),
            ("%m/%d/%Y %I:%M %p", "01/05/2026 13:05 pm", None),
            ("%Y-%m-%d %H:%M%z", "2026-01-05 09:05+0800", "2026-01-05 09:05:00+0800"),
            ("%d.%m.%Y", "05.01.2026", "2026-01-05"),
        ],
    )
    def test_times_too(self, pattern: str, cell: str, time: str | None) -> None:
        assert written("ts", pattern, cell) == time

    @pytest.mark.parametrize(
        ("cell", "day"),
        [("31.12.68", "1968-12-31"), ("30.11.26", "2026-11-30"), ("02.12.26", "1926-12-02")],
    )
    def test_two_digits_of_a_past_year_are_not_of_the_future(self, cell: str, day: str) -> None:
        assert written("date", "%d.%m.%y", cell, delivery=date(2026, 12, 1)) == day

    def test_nobody_is_born_after_the_delivery(self, tmp_path: Path) -> None:
        path = tmp_path / "loans.csv"
        path.write_text("no,on\na,31.12.68\nb,2.12.26\n")
        born = {"date_format": "%d.%m.%y", "pii": "birth_date", "min": "1900-01-01"}
        checked = load(path, contract("no", "on", on=born), date(2026, 12, 1))
        assert checked.good["birth_year"].to_list() == [1968, 1926]
        path.write_text("no,on\na,2026-12-02\nb,2026-12-01\n")
        (row,) = load(path, contract("no", "on", on={"pii": "birth_date"}), date(2026, 12, 1)).bad
        assert (row.line, row.reasons[0]["column"]) == (2, "on")
        assert str(row.reasons[0]["reason"]).startswith("lies after the delivery of 2026-12-01")

    @pytest.mark.parametrize(
        ("type_", "zone", "cell", "is_fault"),
        [
            ("date", "UTC", "2026-12-01", False),
            ("date", "UTC", "2026-12-02", True),
            ("ts", "Pacific/Auckland", "2026-12-01 23:59:59", False),
            ("ts", "Pacific/Auckland", "2026-12-02 00:00:00", True),
            ("ts", "Pacific/Auckland", "2026-12-01T11:00:00Z", True),
            ("ts", "America/New_York", "2026-12-02T04:59:59Z", False),
        ],
    )
    def test_what_has_happened_lies_at_the_end_of_the_delivery_in_the_books_zone(
        self, tmp_path: Path, type_: str, zone: str, cell: str, is_fault: bool
    ) -> None:
        path = tmp_path / "loans.csv"
        path.write_text(f"no,on\na,{cell}\n")
        form = contract("no", "on", on={"type": type_, "past": True})
        file = open_source_file(path, form, delivery=date(2026, 12, 1))
        (batch,) = read_batches(file)
        checked = validate(batch, form, zone=zone, delivery=date(2026, 12, 1))
        assert [row.line for row in checked.bad] == ([2] if is_fault else [])

    def test_a_day_that_may_lie_ahead_keeps_its_century(self) -> None:
        """Due in 2030, though the row could be known on its due day at the earliest."""
        due = load_contract("due_items").column("due_date")
        column = due.model_copy(update={"date_format": "%y%m%d"})
        cell = as_contract_writes(column, FileFormat(), delivery=date(2026, 12, 1))
        assert pl.DataFrame({"due_date": ["300630"]}).select(cell).to_series().to_list() == ["2030-06-30"]

    @pytest.mark.parametrize(
        ("pattern", "problem"),
        [("%Y-%m", "no year, month and day"), ("%Y-%j", "%j is not read"), ("%d.%d.%Y", "stands twice")],
    )
    def test_a_pattern_that_names_no_day_is_refused(self, pattern: str, problem: str) -> None:
        with pytest.raises(ValueError, match=problem):
            contract("no", "on", on={"date_format": pattern})


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("count", "1.0", 1), ("count", "１２", None), ("count", "9223372036854775808", None),
        ("balance", "１２.50", None), ("balance", "1.2000000000000000000000000000", 120),
        ("rate", "1e-3", 0.001), ("rate", "nan", None), ("rate", "1e999", None), ("rate", "0x1p3", None),
        ("on", "２026-01-05", None), ("on", "2026-1-5", None),
    ],
)  # fmt: skip
def test_digits_are_ascii_and_numbers_exact(tmp_path: Path, name: str, cell: str, value: object) -> None:
    path = tmp_path / "loans.csv"
    path.write_text(f"no,{name}\na,{cell}\n", encoding="utf-8")
    checked = load(path, contract("no", name))
    assert checked.good[name].to_list() == ([] if value is None else [value])


def test_random_sheets_equal_a_plain_reader(tmp_path: Path) -> None:
    """Short form of ``tests/soak/test_random_files.py``."""
    path = tmp_path / "cells.xlsx"
    assert [seed for seed in range(40) if not RandomSheet(Random(seed), path).comes_back()] == []


class TestIdentifiers:
    KEYS = ("C00001", "C00001\u200b", "１００１", "C\u00a01", "\ufeffC2", "（2024）沪字1号")

    def write(self, folder: Path) -> Path:
        path = folder / "loans.csv"
        path.write_text("\n".join(["no,note", *(f"{key},{key}" for key in self.KEYS)]), encoding="utf-8")
        return path

    def test_what_looks_like_another_character_is_a_fault(self, tmp_path: Path) -> None:
        checked = load(self.write(tmp_path), contract("no", "note"))
        assert checked.good["no"].to_list() == ["C00001", "（2024）沪字1号"]
        assert {row.reasons[0]["column"] for row in checked.bad} == {"no"}
        assert "look like usual ones" in str(checked.bad[0].reasons[0]["reason"])

    def test_or_it_is_brought_to_one_form_where_the_contract_says_so(self, tmp_path: Path) -> None:
        checked = load(self.write(tmp_path), contract("no", "note", no={"normalise": True}))
        assert checked.good["no"].to_list() == ["C00001", "C00001", "1001", "C 1", "C2", "(2024)沪字1号"]
        assert checked.good["note"].to_list() == list(self.KEYS)


def test_an_optional_column_may_be_absent_and_a_required_one_not(tmp_path: Path) -> None:
    names = ("no", "balance", "note")
    cells = {"no": "a", "note": "b"}
    sheet(tmp_path / "loans.xlsx", list(cells), list(cells.values()))
    pl.DataFrame(cells).write_parquet(tmp_path / "loans.parquet")
    (tmp_path / "loans.jsonl").write_text(json.dumps(cells))
    (tmp_path / "loans.csv").write_text("no,note\na,b\n")
    for ending in ("xlsx", "parquet", "jsonl", "csv"):
        file = open_source_file(tmp_path / f"loans.{ending}", contract(*names))
        assert pl.concat(read_batches(file)).select(names).rows() == [("a", None, "b")], ending
        assert file.absent_columns == ["balance"], ending
    with pytest.raises(DataRefusedError, match="column 'balance' is missing"):
        open_source_file(tmp_path / "loans.csv", contract(*names, balance={"required": True}))


@pytest.mark.parametrize(
    ("kind", "spellings"),
    [
        (
            "national_id",
            ["31010119900307987X", "31010119900307987x", "310101 19900307 987X", "３10101199003079８7Ｘ"],
        ),
        (
            "phone",
            ["13987654321", "+8613987654321", "+86 139-8765-4321", "0086 139 8765 4321", "86(139)87654321"],
        ),
        ("phone", ["010-12345678", "(010) 12345678", "010 1234\u200b5678"]),
        ("account", ["6222021234567890123", "6222 0212 3456 7890 123", "6222-0212-3456-7890-123"]),
        ("name", ["张三", "张 三", " 张三\u200b"]),
        ("name", ["Li Wei", " Li  Wei"]),
        ("address", ["上海路1号", "上海路１号"]),
    ],
)
def test_spellings_of_one_datum_hash_alike(kind: str, spellings: list[str], home: Path) -> None:
    assert hash_series(pl.Series(spellings), kind).n_unique() == 1
    assert one_spelling(spellings[0], kind) in (spellings[0], "01012345678")


def test_other_data_hash_apart(home: Path) -> None:
    others = pl.Series(["13987654321", "13987654322", "8613987654321", "861398765432"])
    assert hash_series(others, "phone").n_unique() == 3
    assert hash_series(pl.Series(["a1", "A1"]), "undeclared").n_unique() == 2


def test_no_pattern_for_cells_takes_digits_of_other_scripts() -> None:
    r"""``\d`` of Polars takes the digits of every script, which then parse as another number or none."""
    package = PROJECT_ROOT / "creditops"
    reading = [
        *(package / "ingest").rglob("*.py"),
        *(package / "reading").glob("*.py"),
        package / "onboarding" / "guess.py",
        package / "adapters" / "adapter.py",
    ]
    assert [path.name for path in reading if r"\d" in path.read_text(encoding="utf-8")] == []
