"""What an adapter's YAML can say, on small files of an invented system."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from creditops.adapters import Made, adapter_names, load_adapter
from creditops.errors import DataRefusedError, UsageError
from creditops.expressions import sql_expression

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


def test_what_an_adapter_leaves_to_others_is_said(home: Path) -> None:
    write_adapter(home)
    assert load_adapter("ledger").left_to_others() == [
        "payments refers to facilities by facility_id, and the adapter makes no facilities: they must be"
        " delivered otherwise"
    ]


def write_receipts(home: Path, text: str = RECEIPTS, encoding: str = "gb18030") -> Path:
    folder = home / "delivery"
    folder.mkdir(exist_ok=True)
    (folder / "receipts_1.txt").write_bytes(text.encode(encoding))
    return folder


def read(home: Path) -> dict[str, pl.DataFrame]:
    adapter = load_adapter("ledger")
    return {made.source: made.frame for made in adapter.read(home / "delivery", line_column="line")}


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
    assert payment["value_date"] == "unread: 2026/13/4"
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
    origins = {made.source: made.origin for made in load_adapter("ledger").read(folder)}
    assert origins["partners"] == file
    assert origins["payments"] == folder / "receipts_1.txt"


def test_a_compressed_file_is_read_alone(home: Path) -> None:
    write_adapter(home)
    folder = write_receipts(home)
    packed = folder / "receipts_2.txt.gz"
    packed.write_bytes(gzip.compress(RECEIPTS.encode("gb18030")))
    made = [(made.source, len(made.frame)) for made in load_adapter("ledger").read(packed)]
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


RELATIONAL = """\
adapter: ledger
version: 1
book: my_book
description: { en: "Loans of an invented bank.", zh: "虚构银行的贷款。" }
inputs:
  accounts: { files: ["accounts.csv"], separator: ";", columns: [account, client, role, branch] }
  loans:
    files: ["loans.csv"]
    separator: ";"
    columns: [loan, account, granted, amount, months, rate, purpose]
outputs:
  - source: facilities
    from: loans
    join:
      - { input: accounts, as: owner, on: [account], where: "role = 'OWNER'" }
    where: "purpose = 'HOME'"
    columns:
      facility_id: { column: loan }
      customer_id: { expression: "'K' || owner.client" }
      product_id: { column: owner.branch, values: { "1": P1, "2": P2 } }
      opened_on: { column: granted, date_format: "%y%m%d" }
      currency: { constant: CNY }
      status: { constant: active }
      effective_date: { column: granted, date_format: "%y%m%d" }
  - source: due_items
    from: loans
    generate:
      count: months
      number: instalment
      total: instalments
      dates: { name: due_on, start: { column: granted, date_format: "%y%m%d" }, first: 1, every: month }
    columns:
      due_item_id: { expression: "loan || '-' || instalment" }
      facility_id: { column: loan }
      kind: { constant: instalment }
      due_date: { column: due_on }
      amount_due: { expression: "case when instalment = instalments then '1.00' else rate end" }
      currency: { constant: CNY }
"""
ACCOUNTS = "account;client;role;branch\nA1;7;OWNER;1\nA1;8;USER;1\nA2;9;OWNER;2\nA2;9;OWNER;2\n"
LOANS = """\
loan;account;granted;amount;months;rate;purpose
L1;A1;240131;300;3;100;HOME
L2;A2;240229;200;2.0;100;
L3;A9;240115;100;0;100;HOME
L4;A2;240115;100;many;100;CAR
"""


def make_relational(
    home: Path, *, text: str = RELATIONAL, accounts: str = ACCOUNTS, loans: str = LOANS
) -> dict[str, Made]:
    write_adapter(home, text)
    folder = home / "delivery"
    folder.mkdir(exist_ok=True)
    (folder / "accounts.csv").write_text(accounts, encoding="utf-8")
    (folder / "loans.csv").write_text(loans, encoding="utf-8")
    return {made.source: made for made in load_adapter("ledger").read(folder, line_column="line")}


def test_a_null_condition_leaves_a_row_out_as_in_sql_and_it_is_counted(home: Path) -> None:
    made = make_relational(home)["facilities"]
    assert made.frame["facility_id"].to_list() == ["L1", "L3"]
    assert dict(made.left_out) == {"where": 2}


def test_a_join_looks_up_one_row_and_keeps_what_has_no_partner(home: Path) -> None:
    rows = make_relational(home)["facilities"].frame.rows(named=True)
    assert [(row["customer_id"], row["product_id"], row["opened_on"]) for row in rows] == [
        ("K7", "P1", "2024-01-31"),
        (None, None, "2024-01-15"),  # the contract refuses it, so that it is seen
    ]


def test_a_join_can_leave_rows_out_and_they_are_counted(home: Path) -> None:
    made = make_relational(
        home, text=RELATIONAL.replace("on: [account],", "on: [account], missing: leave_out,")
    )
    assert made["facilities"].frame["facility_id"].to_list() == ["L1"]
    assert dict(made["facilities"].left_out) == {"no owner": 1, "where": 2}


def test_a_join_to_several_rows_is_refused_with_their_lines(home: Path) -> None:
    with pytest.raises(DataRefusedError, match="more than one row for account A1: lines 2 and 3") as caught:
        make_relational(home, accounts=ACCOUNTS.replace("A1;8;USER", "A1;8;OWNER"))
    assert "join owner" in caught.value.message


def test_a_joined_file_must_be_delivered_with_its_partner(home: Path) -> None:
    make_relational(home)
    with pytest.raises(DataRefusedError, match=r"joins accounts\.csv to it"):
        list(load_adapter("ledger").read(home / "delivery" / "loans.csv"))


def test_a_schedule_is_generated_and_its_days_do_not_drift(home: Path) -> None:
    made = make_relational(home)["due_items"]
    rows = made.frame.select("due_item_id", "due_date", "amount_due", "line").rows()
    assert rows[:5] == [
        ("L1-1", "2024-02-29", "100", 2),
        ("L1-2", "2024-03-31", "100", 2),
        ("L1-3", "2024-04-30", "1.00", 2),
        ("L2-1", "2024-03-29", "100", 3),
        ("L2-2", "2024-04-29", "1.00", 3),
    ]
    assert rows[5:] == [(None, None, "100", 5)]  # `many` instalments: the contract refuses the row
    assert dict(made.left_out) == {"generate: count 0": 1}


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("first: 0, every: quarter", ["2024-02-29", "2024-05-29"]),
        ("every: quarter, month_end: stay", ["2024-02-29", "2024-05-31"]),
        ("first: 1, every: 2 weeks", ["2024-03-14", "2024-03-28"]),
        ("first: 1, every: half year, month_end: last_day", ["2024-08-31", "2025-02-28"]),
        ("first: 1, every: year", ["2025-02-28", "2026-02-28"]),
        ("first: -1, every: 10 days", ["2024-02-19", "2024-02-29"]),
    ],
)
def test_periods_and_month_ends(home: Path, said: str, days: list[str]) -> None:
    made = make_relational(home, text=RELATIONAL.replace("first: 1, every: month", said))
    schedule = made["due_items"].frame.filter(pl.col("facility_id") == "L2")
    assert schedule["due_date"].to_list() == days


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("owner.client", "owner.clients", "facilities, customer_id"),
        ("purpose = 'HOME'", "purpos = 'HOME'", "facilities, where"),
        ("count: months", "count: month", "due_items, generate"),
        ("role = 'OWNER'", "role = ", "join owner"),
        ("column: due_on", "column: due", "due_items, due_date"),
    ],
)
def test_a_name_that_is_not_there_is_found_without_any_file(
    home: Path, old: str, new: str, problem: str
) -> None:
    assert old in RELATIONAL
    write_adapter(home, RELATIONAL.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_adapter("ledger").try_empty()
    assert problem in caught.value.message


@pytest.mark.parametrize("name", sorted(set(adapter_names())))
def test_the_shipped_adapters_hold_against_no_rows(name: str) -> None:
    load_adapter(name).try_empty()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("input: accounts, as", "input: account, as", "unknown input 'account'"),
        ("as: owner", "as: loan", "already has a 'loan'"),
        ("on: [account]", "on: { account: client_no }", "no column 'client_no'"),
        ("every: month", "every: fortnight", "no period"),
        ("%y%m%d", "%y%m%q", "date_format"),
    ],
)
def test_a_faulty_join_or_schedule_is_named(home: Path, old: str, new: str, problem: str) -> None:
    assert old in RELATIONAL
    write_adapter(home, RELATIONAL.replace(old, new))
    with pytest.raises(UsageError, match=problem):
        load_adapter("ledger")


@pytest.mark.parametrize(
    "text",
    [
        "a in (select b from read_csv('/etc/hostname'))",
        "exists (select 1)",
        "(select max(a) from t)",
        "a = 1; drop table t",
        "select a",
        "a = ?",
        "",
        "a ==== b",
    ],
)
def test_an_expression_reads_nothing_but_the_columns_of_its_row(text: str) -> None:
    with pytest.raises(ValueError, match=r"SQL expression|not allowed"):
        sql_expression(text)
