"""The same rows arrive in every form that lenders send, and one contract reads them all."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import polars as pl
import pytest
import yaml

from creditops.errors import DataRefusedError
from creditops.ingest.check.validation import validate
from creditops.reading import packed
from creditops.reading.reader import LINE, SourceFile, open_source_file, read_batches
from creditops.sources.contract import Contract
from creditops.sources.model import FileFormat
from tests.contract.open_document import write_ods

CONTRACT = Contract.model_validate(
    yaml.safe_load("""
source: repairs
domain: reference
version: 1
description: { en: "Repairs.", zh: "维修。" }
grain: one row per repair
key: [repair_id]
columns:
  - { name: repair_id, header: 编号, type: id, required: true, description: { en: "Id.", zh: "编号。" } }
  - { name: done_on, type: date, description: { en: "Day.", zh: "日期。" } }
  - { name: done_at, type: ts, description: { en: "Time.", zh: "时间。" } }
  - { name: amount, type: money, description: { en: "Amount.", zh: "金额。" } }
  - { name: share, type: rate, description: { en: "Share.", zh: "占比。" } }
  - { name: count, type: int, description: { en: "Count.", zh: "数量。" } }
  - { name: paid, type: bool, description: { en: "Paid.", zh: "已付。" } }
  - { name: note, type: text, description: { en: "Note.", zh: "备注。" } }
""")
)
HEADER = ["编号", "done_on", "done_at", "amount", "share", "count", "paid", "note"]
TYPED = [
    ("0007", date(2026, 1, 5), datetime(2026, 1, 5, 13, 4, 5), 1234567890.12, 0.045, 3, True, "刹车片, 两副"),
    ("A8", date(2026, 12, 31), datetime(2026, 12, 31, 0, 0), -0.5, 0.3, -2, False, None),
    ("A9", None, None, None, None, None, None, 'he said "no"'),
]
AT_ONE = datetime(2026, 1, 5, 13, 4, 5, tzinfo=UTC)
AT_MIDNIGHT = datetime(2026, 12, 31, tzinfo=UTC)
CANONICAL = [  # amounts in hundredths
    ("0007", date(2026, 1, 5), AT_ONE, 123456789012, 0.045, 3, True, "刹车片, 两副"),
    ("A8", date(2026, 12, 31), AT_MIDNIGHT, -50, 0.3, -2, False, None),
    ("A9", None, None, None, None, None, None, 'he said "no"'),
]
COMPARED = ["repair_id", "done_on", "done_at", "amount", "share", "count", "paid", "note"]


def with_format(**options: object) -> Contract:
    return CONTRACT.model_copy(update={"format": FileFormat.model_validate(options)})


def as_csv(delimiter: str = ",", day: str = "%Y-%m-%d") -> str:
    lines = [delimiter.join(HEADER)]
    for row in TYPED:
        cells = [
            value.strftime("%Y-%m-%d %H:%M:%S")
            if isinstance(value, datetime)
            else value.strftime(day)
            if isinstance(value, date)
            else ""
            if value is None
            else str(value)
            for value in row
        ]
        lines.append(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells))
    return "\n".join(lines) + "\n"


def read(path: Path, contract: Contract = CONTRACT) -> tuple[SourceFile, pl.DataFrame]:
    file = open_source_file(path, contract)
    batches = [validate(batch, contract) for batch in read_batches(file)]
    faults = [row for batch in batches for row in batch.bad]
    assert faults == []
    return file, pl.concat(batch.good for batch in batches)


def assert_same(path: Path, contract: Contract = CONTRACT) -> SourceFile:
    file, frame = read(path, contract)
    assert frame.select(COMPARED).rows() == CANONICAL
    return file


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_found(tmp_path: Path, encoding: str, delimiter: str) -> None:
    file = assert_same(write(tmp_path / "repairs.csv", as_csv(delimiter).encode(encoding)))
    assert file.delimiter == delimiter


def test_gb18030_is_found_where_only_the_last_rows_are_chinese(tmp_path: Path) -> None:
    contract = CONTRACT.model_copy(
        update={"columns": tuple(c.model_copy(update={"header": None}) for c in CONTRACT.columns)}
    )
    rows = "".join(f"R{n},2026-01-05,,1.00,,,,x\n" for n in range(150_000)) + "Z,2026-01-05,,1,,,,备注\n"
    text = ",".join(column.name for column in contract.columns) + "\n" + rows
    file, frame = read(write(tmp_path / "repairs.csv", text.encode("gb18030")), contract)
    assert file.encoding == "gb18030"
    assert frame["note"][-1] == "备注"
    assert frame[LINE][-1] == 150_002


def test_another_encoding_is_stated_or_refused_with_its_line(tmp_path: Path) -> None:
    text = as_csv().replace("刹车片", "剎車片").replace("两副", "兩副").replace("编号", "編號")
    path = write(tmp_path / "repairs.csv", b"a\xff\xfe\n" + text.encode("big5"))
    with pytest.raises(
        DataRefusedError, match=r"repairs\.csv: line 1: .*neither UTF-8 nor GB18030"
    ) as caught:
        open_source_file(path, CONTRACT)
    assert "encoding" in str(caught.value.hint)
    stated = with_format(encoding="big5")
    columns = tuple(
        c.model_copy(update={"header": "編號"}) if c.name == "repair_id" else c for c in CONTRACT.columns
    )
    _, frame = read(write(path, text.encode("big5")), stated.model_copy(update={"columns": columns}))
    assert frame["note"][0] == "剎車片, 兩副"


@pytest.mark.parametrize("name", ["repairs.csv.gz", "repairs.csv.zip", "repairs.zip"])
def test_packed_text_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("gz"):
        path.write_bytes(gzip.compress(as_csv().encode()))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("export/repairs_0105.csv", as_csv().encode("gb18030"))
            archive.writestr("__MACOSX/._repairs_0105.csv", b"x")
    assert_same(path)


def test_excel_gives_what_its_user_sees(tmp_path: Path) -> None:
    import openpyxl

    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = "一月"
    sheet.append(["维修清单"])
    sheet.append(HEADER)
    sheet.append(list(TYPED[0]))
    sheet.append([None] * 8)
    sheet.append(list(TYPED[1]))
    sheet.append([*TYPED[2][:7], TYPED[2][7]])
    sheet["E5"] = 0.1 + 0.2  # stored as 0.30000000000000004
    workbook.save(tmp_path / "repairs.xlsx")
    _, frame = read(tmp_path / "repairs.xlsx", with_format(skip_lines=1, sheet="一月"))
    assert frame.select(COMPARED).rows() == CANONICAL
    assert frame[LINE].to_list() == [3, 5, 6]
    with pytest.raises(DataRefusedError, match="no sheet '二月'"):
        open_source_file(tmp_path / "repairs.xlsx", with_format(sheet="二月"))


def test_json_lines_keep_numbers_as_written(tmp_path: Path) -> None:
    objects = []
    for row in TYPED:
        found = {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in zip(HEADER, row, strict=True)
        }
        objects.append(json.dumps({**found, "extra": {"a": [1]}}, ensure_ascii=False))
    file = assert_same(write(tmp_path / "repairs.jsonl", ("\n".join(objects) + "\n\n").encode("utf-8-sig")))
    assert file.extra_columns == ["extra"]
    assert_same(write(tmp_path / "repairs.ndjson.gz", gzip.compress("\n".join(objects).encode("gb18030"))))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"编号": "A", }', r"line 2, column \d+"),
        ('["A"]', "line 2: is no JSON object"),
        ('{"编号": "A", "编号": "B"}', "line 2: the key '编号' appears twice"),
    ],
)
def test_a_broken_json_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = write(tmp_path / "repairs.jsonl", ('{"编号": "A"}\n' + line + "\n").encode())
    with pytest.raises(DataRefusedError, match=rf"repairs\.jsonl: {problem}"):
        read(path)


def test_parquet_with_exact_and_with_floating_amounts(tmp_path: Path) -> None:
    frame = pl.DataFrame(TYPED, schema=HEADER, orient="row")
    frame.write_parquet(tmp_path / "repairs.parquet", row_group_size=2)
    assert_same(tmp_path / "repairs.parquet")
    exact = [Decimal("1234567890.12"), Decimal("-0.50"), None]
    frame.with_columns(pl.Series("amount", exact, dtype=pl.Decimal(18, 2))).write_parquet(
        tmp_path / "repairs.exact.parquet"
    )
    assert_same(tmp_path / "repairs.exact.parquet")
    with pytest.raises(DataRefusedError, match="cannot be read as Parquet"):
        open_source_file(write(tmp_path / "repairs.bad.parquet", b"PAR1 no"), CONTRACT)


def test_dates_amounts_and_nulls_as_the_contract_says_they_are_written(tmp_path: Path) -> None:
    text = as_csv(";", "%d.%m.%Y").replace("1234567890.12", "1.234.567.890,12").replace("-0.5", "-0,5")
    text = text.replace("0.045", "0,045").replace("0.3", "0,3").replace('"A9";""', '"A9";"-"')
    contract = with_format(date_format="%d.%m.%Y", decimal=",", thousands=".", null_values=["-"])
    at = tuple(
        c.model_copy(update={"date_format": "%Y-%m-%d %H:%M:%S"}) if c.name == "done_at" else c
        for c in contract.columns
    )
    assert_same(write(tmp_path / "repairs.csv", text.encode()), contract.model_copy(update={"columns": at}))


def test_per_cent_becomes_a_share_and_counts_may_be_grouped(tmp_path: Path) -> None:
    document = {
        **CONTRACT.model_dump(exclude_unset=True), "format": {"thousands": ","}, "key": ["n"], "checks": [],
        "relationships": [], "effective": None, "available": (),
        "columns": [
            {"name": "n", "type": "int", "required": True, "description": {"en": "N.", "zh": "数。"}},
            {"name": "rate", "type": "rate", "percent": True, "description": {"en": "R.", "zh": "率。"}},
        ],
    }  # fmt: skip
    path = write(tmp_path / "repairs.csv", b'n,rate\n"1,234",7.25\n5,4.55%\n6,12 %\n"1,23",\n7,seven\n')
    contract = type(CONTRACT).model_validate(document)
    (checked,) = [validate(each, contract) for each in read_batches(open_source_file(path, contract))]
    assert checked.good.select("n", "rate").rows() == [(1234, 0.0725), (5, 0.0455), (6, 0.12)]
    assert [row.reasons[0]["value"] for row in checked.bad] == ["1,23", "seven"]


def test_a_cell_written_otherwise_than_stated_is_a_fault_and_never_another_amount(tmp_path: Path) -> None:
    path = write(
        tmp_path / "repairs.csv", (",".join(HEADER) + '\nA,,,1.50,,,,\nB,,,"12,34,5",,,,\n').encode()
    )
    contract = with_format(decimal=",", delimiter=",")
    bad = [
        row
        for batch in read_batches(open_source_file(path, contract))
        for row in validate(batch, contract).bad
    ]
    assert [row.reasons[0]["column"] for row in bad] == ["amount", "amount"]


def test_lines_before_the_header_and_line_breaks_in_it_do_not_shift_line_numbers(tmp_path: Path) -> None:
    text = "维修清单\n2026年\n" + as_csv().replace("编号", '"编号"', 1) + "x,y\n"
    file = open_source_file(write(tmp_path / "repairs.csv", text.encode()), with_format(skip_lines=2))
    assert pl.concat(read_batches(file))[LINE].to_list() == [4, 5, 6]
    assert file.ragged == [(7, 2)]


class TestBombs:
    @pytest.fixture(autouse=True)
    def _small_bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(packed, "_RATIO_COUNTS_FROM", 1 << 20)

    @pytest.mark.parametrize("name", ["repairs.csv.gz", "repairs.zip"])
    def test_a_file_that_unpacks_out_of_bounds_is_refused(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        content = as_csv().encode() + b"A,,,,,,,\n" * 2_000_000
        if name.endswith("gz"):
            path.write_bytes(gzip.compress(content))
        else:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("repairs.csv", content)
        with pytest.raises(DataRefusedError, match=r"unpacks to more than \d+ MB"):
            read(path)

    def test_a_workbook_that_unpacks_out_of_bounds_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "repairs.xlsx"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/worksheets/sheet1.xml", b" " * (64 << 20))
        with pytest.raises(DataRefusedError, match="workbook unpacks to more than"):
            open_source_file(path, CONTRACT)


@pytest.mark.parametrize(
    ("members", "problem"), [((), "holds 0 files"), (("a.csv", "b.csv"), "holds 2 files")]
)
def test_an_archive_holds_one_file(tmp_path: Path, members: tuple[str, ...], problem: str) -> None:
    path = tmp_path / "repairs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, as_csv())
    with pytest.raises(DataRefusedError, match=problem):
        open_source_file(path, CONTRACT)


def test_a_damaged_archive_and_an_unclosed_quote_are_refused(tmp_path: Path) -> None:
    whole = gzip.compress(as_csv().encode() * 50)
    with pytest.raises(DataRefusedError, match=r"repairs\.csv\.gz: the packed file is truncated"):
        read(write(tmp_path / "repairs.csv.gz", whole[:-20]))
    endless = as_csv().encode() + b'A,,,,,,,"' + b"x" * (10 << 20)
    with pytest.raises(DataRefusedError, match=r"repairs\.csv: line 5: a quote never closes"):
        read(write(tmp_path / "repairs.csv", endless))
    long = as_csv().encode() + b'A,,,,,,,"' + b"x" * (20 << 20) + b'"\n'
    with pytest.raises(DataRefusedError, match=r"repairs\.csv: .*line 5 is longer than 8 MB"):
        read(write(tmp_path / "repairs.csv", long))


def test_a_quote_inside_a_cell_is_a_character(tmp_path: Path) -> None:
    text = ",".join(HEADER) + '\nA,,,,,,,5" pipe\nB,,,,,,,x\n'
    _, frame = read(write(tmp_path / "repairs.csv", text.encode()))
    assert frame["note"].to_list() == ['5" pipe', "x"]


@pytest.mark.parametrize("delimiter", [",", ";", "|"])
def test_a_file_without_a_header_is_declared_and_its_first_row_is_data(
    tmp_path: Path, delimiter: str
) -> None:
    body = as_csv(delimiter).partition("\n")[2]
    path = write(tmp_path / "repairs.csv", body.encode())
    frame = read(path, with_format(header=False))[1]
    assert frame.select(COMPARED).rows() == CANONICAL
    assert frame[LINE].to_list() == [1, 2, 3]
    titled = write(tmp_path / "repairs.csv", ("Repairs of the week\n" + body).encode())
    assert read(titled, with_format(header=False, skip_lines=1))[1][LINE].to_list() == [2, 3, 4]


@pytest.mark.parametrize("suffix", ["xlsx", "ods"])
def test_a_sheet_without_a_header_too(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"repairs.{suffix}"
    rows = [["Repairs of the week"], *(["A8", None, None, -0.5, 0.3, n, None, "x"] for n in (2, 3))]
    write_sheet(path, rows)
    file, frame = read(path, with_format(header=False, skip_lines=1))
    assert frame.select(LINE, "repair_id", "amount", "share", "count", "note").rows() == [
        (2, "A8", -50, 0.3, 2, "x"),
        (3, "A8", -50, 0.3, 3, "x"),
    ]
    assert file.absent_columns == []
    write_sheet(path, [row[:4] for row in rows])
    read(path, with_format(header=False, skip_lines=1))  # the columns behind may be empty
    write_sheet(path, [[*row, "beside"] for row in rows])
    with pytest.raises(DataRefusedError, match="row 2 has 9 cells, not 8"):
        open_source_file(path, with_format(header=False, skip_lines=1))


def write_sheet(path: Path, rows: Sequence[Sequence[str | float | None]]) -> None:
    if path.suffix == ".ods":
        write_ods(path, rows)
        return
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    workbook.save(path)


def test_a_row_wider_than_a_sheet_without_header_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "repairs.xlsx"
    rows: list[list[str | None]] = [[f"A{n}", *[None] * 6, "x"] for n in range(300)]
    write_sheet(path, [*rows, [*rows[0], "one too many"]])
    file, frame = read(path, with_format(header=False))
    assert (len(frame), file.ragged) == (300, [(301, 9)])


def test_a_file_without_a_header_must_have_the_contracts_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "repairs.csv", b"A1,2026-01-01\nA2,2026-01-02\n")
    with pytest.raises(DataRefusedError, match="line 1 has 2 fields, not 8"):
        open_source_file(path, with_format(header=False))
    pl.DataFrame({name: ["1"] for name in HEADER}).write_parquet(tmp_path / "repairs.parquet")
    with pytest.raises(DataRefusedError, match="only delimited text"):
        open_source_file(tmp_path / "repairs.parquet", with_format(header=False))


def test_a_word_stands_for_no_value_in_its_column_alone(tmp_path: Path) -> None:
    columns = [
        column.model_copy(update={"null_values": ("NA",)}) if column.name == "amount" else column
        for column in CONTRACT.columns
    ]
    contract = CONTRACT.model_copy(update={"columns": tuple(columns)})
    row = ["A1", "", "", "NA", "", "", "", "NA"]
    path = write(tmp_path / "repairs.csv", f"{','.join(HEADER)}\n{','.join(row)}\n".encode())
    frame = read(path, contract)[1]
    assert frame.select("amount", "note").rows() == [(None, "NA")]
