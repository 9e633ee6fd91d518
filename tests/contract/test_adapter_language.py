"""What an adapter's YAML can say, on small files of an invented system."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from creditops.adapters import adapter_names, load_adapter
from creditops.errors import DataRefusedError, UsageError

ADAPTER = """\
adapter: ledger
version: 1
book: my_book
description: { en: "Payments of an invented ledger.", zh: "虚构账本的还款。" }
delivery: { day: "2026-06-30" }
inputs:
  receipts:
    files: ["receipts*.txt", "receipts*.txt.gz"]
    encoding: gb18030
    separator: ";"
    null_values: ["-"]
    columns: [编号, 账户, 日期, 金额, 付款人, 状态]
outputs:
  - source: payments
    from: receipts
    where: "状态 <> '作废'"
    columns:
      payment_id: { expression: "'P' || lpad(编号, 4, '0')" }
      facility_id: { column: 账户 }
      value_date: { column: 日期, date_format: "%Y/%m/%d" }
      amount: { expression: "coalesce(cast(try_cast(金额 as double) / 100 as double), 0)" }
      currency: { constant: CNY }
      payer: { column: 付款人, values: { 本人: customer, 他人: third_party } }
  - source: partners
    rows:
      - { partner_id: A, name: Agent, channel: agent, effective_date: "2026-01-01" }
  - source: customers
    from: receipts
    distinct: true
    columns:
      customer_id: { column: 账户 }
      customer_type: { constant: retail }
      effective_date: { constant: "2026-01-01" }
"""

RECEIPTS = """\
编号;账户;日期;金额;付款人;状态;备注
7;F1;2026/1/4;12345; 本人 ;有效;x
8;F1;2026/13/4;100;亲属;有效;x

9;F2;2026/2/4;100;-;作废;x
"""


def write_adapter(home: Path, text: str = ADAPTER, mapping: str | None = None) -> Path:
    folder = home / "adapters" / "ledger"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter.yml").write_text(text, encoding="utf-8")
    if mapping is not None:
        (folder / "mapping.py").write_text(mapping, encoding="utf-8")
    return folder / "adapter.yml"


def write_receipts(home: Path, text: str = RECEIPTS, encoding: str = "gb18030") -> Path:
    folder = home / "delivery"
    folder.mkdir(exist_ok=True)
    (folder / "receipts_1.txt").write_bytes(text.encode(encoding))
    return folder


def read(home: Path) -> dict[str, pl.DataFrame]:
    adapter = load_adapter("ledger")
    return {source: frame for source, frame, _ in adapter.read(home / "delivery", line_column="line")}


def test_a_mapping_translates_dates_codes_and_amounts(home: Path) -> None:
    write_adapter(home)
    write_receipts(home)
    payment = read(home)["payments"].row(0, named=True)
    assert payment["payment_id"] == "P0007"
    assert payment["value_date"] == "2026-01-04"
    assert payment["amount"] == "123.45"
    assert payment["currency"] == "CNY"
    assert payment["payer"] == "customer"
    assert payment["due_item_id"] is None
    assert payment["line"] == 2


def test_what_cannot_be_translated_stays_for_the_contract_to_refuse(home: Path) -> None:
    write_adapter(home)
    write_receipts(home)
    payment = read(home)["payments"].row(1, named=True)
    assert payment["value_date"] == "2026/13/4"
    assert payment["payer"] == "unmapped: 亲属"


def test_a_condition_and_distinct_choose_rows(home: Path) -> None:
    write_adapter(home)
    write_receipts(home)
    made = read(home)
    assert made["payments"]["payment_id"].to_list() == ["P0007", "P0008"]
    assert made["customers"]["customer_id"].to_list() == ["F1", "F2"]
    assert made["partners"].select("partner_id", "line").row(0) == ("A", 1)


def test_constant_rows_come_from_the_adapter_itself(home: Path) -> None:
    file = write_adapter(home)
    folder = write_receipts(home)
    origins = {source: origin for source, _, origin in load_adapter("ledger").read(folder)}
    assert origins["partners"] == file
    assert origins["payments"] == folder / "receipts_1.txt"


def test_a_compressed_file_is_read_alone(home: Path) -> None:
    write_adapter(home)
    folder = write_receipts(home)
    packed = folder / "receipts_2.txt.gz"
    packed.write_bytes(gzip.compress(RECEIPTS.encode("gb18030")))
    made = [(source, len(frame)) for source, frame, _ in load_adapter("ledger").read(packed)]
    assert made == [("partners", 1), ("payments", 2), ("customers", 2)]


def test_python_prepares_what_yaml_cannot(home: Path) -> None:
    text = ADAPTER.replace("where: \"状态 <> '作废'\"", "prepare: last_of_account")
    write_adapter(
        home,
        text,
        "def last_of_account(frame):\n    return frame.unique('账户', keep='last', maintain_order=True)\n",
    )
    write_receipts(home)
    assert read(home)["payments"]["payment_id"].to_list() == ["P0008", "P0009"]


def test_delivery_days_without_a_day_are_left_to_the_loader(home: Path) -> None:
    write_adapter(home)
    assert load_adapter("ledger").deliveries() == dict.fromkeys(
        ("payments", "partners", "customers"), date(2026, 6, 30)
    )
    write_adapter(home, ADAPTER.replace('delivery: { day: "2026-06-30" }\n', ""))
    assert load_adapter("ledger").deliveries() == {}
    assert load_adapter("ledger").history["payments"] is True


@pytest.mark.parametrize(
    ("text", "encoding", "problem"),
    [
        (RECEIPTS.replace("金额", "数额"), "gb18030", "column '金额' is missing"),
        (RECEIPTS.replace("7;F1;", "7;F1;F1;"), "gb18030", "line 2 has 8 fields, not 7"),
        (RECEIPTS.replace("100;亲属;有效;x", "100;亲属"), "gb18030", "line 3 has 5 fields, not 7"),
        (RECEIPTS.replace("x\n8", "\u20ac\n8"), "utf-8", "is not gb18030"),
        ("", "utf-8", "receipts_1.txt"),
    ],
)
def test_a_broken_file_is_refused_whole(home: Path, text: str, encoding: str, problem: str) -> None:
    write_adapter(home)
    write_receipts(home, text, encoding)
    with pytest.raises(DataRefusedError) as caught:
        read(home)
    assert problem in caught.value.message
    assert "receipts_1.txt" in caught.value.message


def test_a_truncated_archive_is_refused(home: Path) -> None:
    write_adapter(home)
    folder = write_receipts(home)
    (folder / "receipts_1.txt").rename(folder / "receipts_1.txt.gz")
    content = gzip.compress(RECEIPTS.encode("gb18030"))
    (folder / "receipts_1.txt.gz").write_bytes(content[:-12])
    with pytest.raises(DataRefusedError, match="truncated or damaged"):
        read(home)


def test_a_delivery_without_its_file_is_refused(home: Path) -> None:
    write_adapter(home)
    (home / "delivery").mkdir()
    with pytest.raises(DataRefusedError, match=r"there is no receipts\*\.txt"):
        read(home)


def test_an_expression_that_fails_names_the_output_and_shows_no_cell(home: Path) -> None:
    write_adapter(home, ADAPTER.replace("try_cast(金额 as double)", "cast(账户 as double)"))
    write_receipts(home)
    with pytest.raises(DataRefusedError, match="output payments") as caught:
        read(home)
    assert "F1" not in caught.value.message


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("from: receipts\n    where", "from: receipt\n    where", "unknown input 'receipt'"),
        ("payment_id: {", "payment_no: {", "no column 'payment_no'"),
        ("      currency: { constant: CNY }\n", "", "'currency' is required"),
        ("{ constant: CNY }", "{ constant: CNY, column: 编号 }", "outputs[0].columns.currency"),
        ("{ constant: CNY }", "{ constants: CNY }", "outputs[0].columns.currency"),
        ("adapter: ledger", "adapter: ledgers", "is not the name of the folder"),
        ("- source: partners", "- source: partner", "no source 'partner'"),
        ('day: "2026-06-30"', "sources: { groups: { history: false } }", "names groups"),
    ],
)
def test_a_faulty_adapter_is_named_with_its_place(home: Path, old: str, new: str, problem: str) -> None:
    assert old in ADAPTER
    write_adapter(home, ADAPTER.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_adapter("ledger")
    assert problem in caught.value.message
    assert caught.value.hint


def test_adapters_are_found_by_name(home: Path) -> None:
    write_adapter(home)
    assert {"uci_taiwan_cards", "ibm_receivables", "ledger"} <= set(adapter_names())
    with pytest.raises(UsageError, match="no adapter 'ledge'"):
        load_adapter("ledge")
