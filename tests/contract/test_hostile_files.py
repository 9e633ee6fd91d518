"""Files made to do harm are refused in a moment, with a reason, and nothing of them is kept."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from creditops.errors import CreditOpsError, DataRefusedError, UsageError
from creditops.ingest.land import landing
from creditops.ingest.land.file_names import strays_among
from creditops.reading.packed import inner_name, open_bytes
from creditops.reading.tabular import parquet_batches, read_json_lines
from creditops.reading.workbook import sheet_rows
from creditops.settings import get_settings
from creditops.sources.column import Column
from creditops.sources.contract import load_contract
from creditops.sources.document import read_mapping
from creditops.sources.model import FileFormat

DAY = date(2026, 6, 30)
HEADER = "customer_id,name\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    return tmp_path / "home"


def column() -> Column:
    return load_contract("customers").columns[0]


@pytest.mark.parametrize("name", ["../../secrets.csv", "/etc/x.csv", "a/../../x.csv", "C:\\x.csv"])
def test_a_name_in_an_archive_leads_nowhere(tmp_path: Path, name: str) -> None:
    path = tmp_path / "customers.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), HEADER)
    assert "/" not in inner_name(path, path.name)
    with open_bytes(path, path.name) as stream:
        assert stream.read() == HEADER.encode()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["customers.zip"]


@pytest.mark.parametrize("names", [[""], [".."], ["a.csv", "b.csv"]])
def test_an_archive_without_its_one_file_is_refused(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "customers.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), HEADER)
    with pytest.raises(DataRefusedError, match=r"holds [02] files"):
        inner_name(path, path.name)


def test_a_file_of_holes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with (
        pytest.raises(DataRefusedError, match="1,048,576 MB only 0 MB were ever written"),
        open_bytes(path, "x"),
    ):
        pass


def _sheet(tmp_path: Path, change: Callable[[bytes], bytes]) -> Path:
    book = openpyxl.Workbook()
    book.active.append(["customer_id", "name"])
    book.active.append([1, 2])
    book.save(tmp_path / "plain.xlsx")
    path = tmp_path / "customers.xlsx"
    with (
        zipfile.ZipFile(tmp_path / "plain.xlsx") as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.infolist():
            content = old.read(part.filename)
            new.writestr(part.filename, change(content) if "sheet1" in part.filename else content)
    return path


def _rows(rows: bytes) -> Callable[[bytes], bytes]:
    return lambda sheet: re.sub(rb"<sheetData>.*</sheetData>", b"<sheetData>" + rows + b"</sheetData>", sheet)


def _entity(declared: bytes) -> Callable[[bytes], bytes]:
    def change(sheet: bytes) -> bytes:
        head = b'<?xml version="1.0"?><!DOCTYPE x [' + declared + b"]>"
        return head + sheet.rpartition(b"?>")[2].replace(b"<v>1</v>", b"<v>&z;</v>")

    return change


LAUGHS = b'<!ENTITY a0 "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 9)
)
SHEETS = {
    "a billion laughs": _entity(LAUGHS + b'<!ENTITY z "&a8;">'),
    "a file of the machine": _entity(b'<!ENTITY z SYSTEM "file:///etc/passwd">'),
    "an address": _entity(b'<!ENTITY z SYSTEM "http://127.0.0.1:9/">'),
    "rows of 16,384 cells": _rows(b'<row r="1"><c r="XFD1"><v>1</v></c></row>' * 50),
    "row two billion": _rows(b'<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>'),
}


@pytest.mark.parametrize("what", SHEETS)
def test_a_workbook_made_to_do_harm_is_refused(tmp_path: Path, what: str) -> None:
    path = _sheet(tmp_path, SHEETS[what])
    with pytest.raises(DataRefusedError) as refused:
        for _ in sheet_rows(path, path.name, FileFormat()):
            pass
    assert "root:" not in str(refused.value)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_a_small_parquet_file_of_gigabytes_is_refused(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "customers.parquet"
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), pa.array(["x" * 1_000_000]))
    parquet.write_table(pa.table({column().file_name: same.cast(kind)}), path, compression="zstd")
    assert path.stat().st_size < 100_000
    with pytest.raises(DataRefusedError, match="unpacks to more than 64 MB"):
        list(parquet_batches(path, path.name, [column()]))


LINES = {
    "nested too deeply": '{"a":' + "[" * 200_000 + "]" * 200_000 + "}",
    "appears twice": "{" + ",".join(f'"k{n}":1' for n in range(1_500)) + ',"k1499":1}',
    "different keys": "{" + ",".join(f'"k{n}":1' for n in range(3_000)) + "}",
    "half of a character": '{"a":"\\ud800"}',
}


@pytest.mark.parametrize("says", LINES)
def test_a_line_of_json_made_to_do_harm_is_refused(tmp_path: Path, says: str) -> None:
    path = tmp_path / "customers.jsonl"
    path.write_text(LINES[says] + "\n")
    with pytest.raises(DataRefusedError, match=says):
        list(read_json_lines(path, path.name, "utf-8", lambda key: None))


def test_whole_characters_and_long_numbers_of_json_are_read(tmp_path: Path) -> None:
    path = tmp_path / "customers.jsonl"
    path.write_text('{"a":"\\ud83d\\ude00","b":"\\\\ud800","c":' + "9" * 5_000 + "}\n")
    ((_, frame),) = read_json_lines(path, path.name, "utf-8", lambda key: None)
    assert frame.row(0) == ("😀", "\\ud800", "9" * 5_000)


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "over 1,000,000 values"),
        ("a: " + "[" * 100_000 + "]" * 100_000, "nested over 64 deep"),
        ("a: &a [*a]", "recursive"),
        ("a: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
    ],
    ids=["aliases", "depth", "itself", "call", "name"],
)
def test_yaml_made_to_do_harm_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "contract.yml"
    path.write_text(text)
    with pytest.raises(UsageError, match=says):
        read_mapping(path)


def _folder(home: Path) -> Path:
    folder = home / "landing" / "demo" / DAY.isoformat()
    folder.mkdir(parents=True)
    return folder


def test_links_pipes_and_devices_of_the_landing_zone_are_not_taken_and_hold_nothing_up(
    home: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secrets.json"
    secret.write_text(HEADER)
    folder = _folder(home)
    (folder / "customers.csv").symlink_to(secret)
    (folder / "payments.csv").symlink_to("/dev/zero")
    (folder / "facilities.csv").symlink_to(folder / "nothing")
    os.mkfifo(folder / "due_items.csv")
    os.mkfifo(folder / "no_source.csv")
    (folder / "partners.csv").write_text("partner_id\n")
    taken = landing.landed_files(
        "demo", DAY, {"customers", "payments", "facilities", "due_items", "partners"}
    )
    assert [each.path.name for each in taken if each.path.name != "partners.csv"] == []
    said = {each.path.name for each in strays_among([folder]) if "a link, a pipe or a device" in each.why}
    assert said == {"customers.csv", "payments.csv", "facilities.csv", "due_items.csv", "no_source.csv"}
    with pytest.raises(CreditOpsError):
        landing.land("demo", [_only_links(tmp_path, secret)], DAY)


def _only_links(tmp_path: Path, secret: Path) -> Path:
    delivered = tmp_path / "delivered"
    delivered.mkdir()
    (delivered / "customers.csv").symlink_to(secret)
    return delivered


def test_a_link_in_place_of_a_marker_is_replaced_and_not_followed(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secrets.json"
    secret.write_text("kept")
    folder = _folder(home)
    (folder / "customers.csv.done").symlink_to(secret)
    (tmp_path / "customers.csv").write_text(HEADER)
    landing.land("demo", [tmp_path / "customers.csv"], DAY)
    landing.mark_whole(folder / "customers.csv", {"no customer": 2})
    assert secret.read_text() == "kept"
    assert not (folder / "customers.csv.done").is_symlink()


@pytest.mark.parametrize("at", ["book", "day"])
def test_a_link_in_place_of_a_folder_of_the_landing_zone_is_refused(
    home: Path, tmp_path: Path, at: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = home / "landing" / "demo" / DAY.isoformat()
    place = folder if at == "day" else folder.parent
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere)
    with pytest.raises(DataRefusedError, match="is a link"):
        landing.delivery_folder("demo", DAY)
    assert landing.deliveries() == []
