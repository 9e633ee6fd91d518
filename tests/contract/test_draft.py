"""What a drafted contract guesses from a sample, and what the lint says about a contract."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from typer.testing import CliRunner

from creditops.cli import app
from creditops.errors import DataRefusedError, UsageError
from creditops.ingest.check.validation import validate
from creditops.onboarding.draft import draft, guess_sample
from creditops.onboarding.guess import guess_column
from creditops.onboarding.sample import read_sample
from creditops.reading.reader import open_source_file, read_batches
from creditops.sources.contract import Contract, load_contract, load_contracts, read_contract
from creditops.sources.lint import check
from tests.contract.open_document import write_ods
from tests.contract.test_contract_errors import VALID, write


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("opened", ["2026-01-05", "2026-12-31"], {"type": "date", "date_format": None}),
        ("opened", ["2026/1/5", "2026/12/31"], {"type": "date", "date_format": "%Y/%m/%d"}),
        ("日期", ["20260105", "20261231"], {"type": "date", "date_format": "%Y%m%d"}),
        ("figure", ["20260105", "20261231"], {"type": "int"}),
        ("on", ["31/12/2026", "05/01/2026"], {"type": "date", "date_format": "%d/%m/%Y"}),
        ("on", ["12/31/2026", "01/05/2026"], {"type": "date", "date_format": "%m/%d/%Y"}),
        ("日期", ["2026年1月5日", "2026年12月31日"], {"date_format": "%Y年%m月%d日"}),
        ("at", ["2026-01-05 10:00:00", "2026-01-05 10:00:01"], {"type": "ts", "date_format": None}),
        ("at", ["05.01.2026 10:00", "31.01.2026 23:59"], {"type": "ts", "date_format": "%d.%m.%Y %H:%M"}),
        ("amount", ["1,234.50", "12", "1,000,000.00"], {"type": "money", "thousands": ","}),
        ("betrag", ["1.234,50", "12,00", "0,99"], {"type": "money", "decimal": ",", "thousands": "."}),
        ("quote", ["0.0451", "0.3"], {"type": "rate"}),
        ("年利率(%)", ["4.55", "7"], {"type": "rate", "percent": True}),
        ("yield", ["4.55%", "12 %"], {"type": "rate", "percent": True}),
        ("rate", ["0.0455", "7"], {"type": "rate", "percent": False}),
        ("是否展期", ["是", "否"], {"type": "bool"}),
        ("dpd_days", ["0", "31", "90"], {"type": "int", "unit": "days"}),
        ("big", ["9000000000", "1"], {"type": "bigint"}),
        ("loan no", ["0007", "0008"], {"type": "id"}),
        ("whatever", ["0007", "0008"], {"type": "id"}),
        ("kind", ["a", "b"] * 20, {"type": "code", "values": ("a", "b")}),
        ("flag", ["Y", "N", "Y"], {"type": "bool"}),
        ("手机", ["13912345678", "13812345678"], {"type": "text", "pii": "phone"}),
        ("contact", ["13912345678", "13812345678"], {"pii": "phone"}),
        ("x", ["110101199003071233", "110101199003071241"], {"pii": "national_id"}),
        ("出生日期", ["1990-03-07", "1985-01-01"], {"type": "date", "pii": "birth_date"}),
        ("customer_name", ["Li", "Wang"], {"pii": "name"}),
        ("x", ["a@b.cn", "c@d.cn"], {"pii": "email"}),
        ("x", ["6222020012345671", "4111111111111111"], {"pii": "account"}),
        ("order", ["110101199003071230", "110101199003071249"], {"pii": "none"}),
        ("card number", ["6222020012345678", "6222020012345679"], {"pii": "account"}),
    ],
)
def test_a_columns_content_is_guessed(header: str, cells: list[str], expected: dict[str, object]) -> None:
    guess = guess_column(header, header.replace(" ", "_"), pl.Series(header, cells))
    assert {name: getattr(guess, name) for name in expected} == expected
    assert guess.required


@pytest.mark.parametrize(
    ("header", "cells", "says"),
    [
        ("on", ["05/01/2026", "06/02/2026"], "%d/%m/%Y or %m/%d/%Y"),
        ("amount", [f"1,0{n:02d}" for n in range(20)], "set decimal ',', or thousands ','"),
        ("amount", [f"1.0{n:02d}" for n in range(20)], "set decimal '.', or thousands '.'"),
        ("paid_on", ["46000", "46001"], "day numbers of a spreadsheet? then this is 2025-12-09"),
        ("birth date", ["31.12.68", "01.01.99"], "%d.%m.%y, the century left open"),
        ("due date", ["240131", "240229"], "dates as %y%m%d or %d%m%y, the century"),
        (
            "at",
            ["2026-01-01 24:30:00", "2026-01-01 10:00:00"],
            "looks like ts, but '2026-01-01 24:30:00' is none",
        ),
        ("担保方式", ["无", "抵押", "保证 金"] * 3, "'无' kept as values"),
        ("country", ["NA", "DE", "CN"] * 9, "'NA' kept as values"),
    ],
)
def test_what_is_not_certain_is_text_and_the_draft_says_what_to_choose(
    header: str, cells: list[str], says: str
) -> None:
    _, _, _, (guess,) = guess_sample(pl.DataFrame({header: cells}))
    assert guess.type in ("text", "code")
    assert guess.date_format is None
    assert any(says in note for note in guess.notes), guess.notes


@pytest.mark.parametrize(
    ("pattern", "said"), [("%y%m%d", "%y%m%d"), ("%d%m%y", "%d%m%y"), ("%Y%m%d", "%Y%m%d")]
)
def test_numbers_that_would_all_be_days_are_asked_about(pattern: str, said: str) -> None:
    """In a file whose headers are in a language that the draft does not know."""
    days = [(date(2019, 1, 1) + timedelta(days=37 * n)).strftime(pattern) for n in range(60)]
    guess = guess_column("Gebucht", "gebucht", pl.Series("Gebucht", days))
    assert guess.type == "text"
    assert said in guess.notes[0]
    assert (
        guess_column("Zahl", "zahl", pl.Series("Zahl", [f"{n * 7919 + 100000}" for n in range(60)])).type
        == "int"
    )


def test_digits_with_leading_zeros_are_an_identifier() -> None:
    numbers = [f"{n // 2:05d}" for n in range(300)]
    assert guess_column("Kundennr", "kundennr", pl.Series("Kundennr", numbers)).type == "id"


def test_other_columns_tell_what_a_mark_means() -> None:
    doubtful = [f"1,0{n:02d}" for n in range(20)]
    for other, type_, mark in (("2.50", "money", ","), ("1,000,000", "money", ","), ("2,50", "rate", None)):
        _, _, _, guesses = guess_sample(pl.DataFrame({"x": doubtful, "other": [other] * 20}))
        assert (guesses[0].type, guesses[0].thousands) == (type_, mark), other


def test_a_file_has_one_way_of_writing_numbers() -> None:
    frame = pl.DataFrame({"a": ["1.50", "2.25"], "b": ["3.75", "4.50"], "c": ["1,5", "2,25"]})
    _, _, _, guesses = guess_sample(frame)
    assert [guess.type for guess in guesses] == ["money", "money", "text"]
    assert "unlike other columns" in guesses[2].notes[0]


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("status", ["N"] * 20, {"type": "code", "values": ("N",)}),
        ("flag", ["t", "yes"] * 10, {"type": "code"}),
        ("paid_on", ["2026-01-05"], {"type": "date"}),
        ("visits", ["1.0", "2.0", "10.0"], {"type": "int", "unit": "count"}),
        ("dpd_days", ["1.0", "NA", "10.0"], {"type": "int", "null_values": ("NA",), "required": False}),
        ("balance", ["1.0", "2.0"], {"type": "money"}),
        ("at", ["2026-01-01 24:00:00", "2026-01-01 10:00:00"], {"type": "ts"}),
    ],
)
def test_a_guess_holds_for_every_cell_of_the_sample(
    header: str, cells: list[str], expected: dict[str, object]
) -> None:
    _, _, _, (guess,) = guess_sample(pl.DataFrame({header: cells}))
    assert {name: getattr(guess, name) for name in expected} == expected


def drafted(home: Path, path: Path) -> Contract:
    made = draft(path)
    target = home / "contracts" / f"{made.source}.yml"
    target.parent.mkdir(exist_ok=True)
    target.write_text(made.text, encoding="utf-8")
    return read_contract(target)


def loaded(path: Path, contract: Contract) -> pl.DataFrame:
    results = [validate(batch, contract) for batch in read_batches(open_source_file(path, contract))]
    assert [row for each in results for row in each.bad] == []
    return pl.concat(each.good for each in results)


def test_a_word_may_be_a_value_here_and_nothing_there(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "limits.csv"
    rows = [
        f"K{n},{'NA' if n % 2 else 'DE'},{'NA' if n % 3 else n}.0".replace("NA.0", "NA") for n in range(60)
    ]
    path.write_text("\n".join(["client_id,country,visits", *rows]) + "\n")
    frame = loaded(path, drafted(home, path))
    assert frame["country"].to_list()[:2] == ["DE", "NA"]
    assert frame["visits"].to_list()[:4] == [0, None, None, 3]


def test_the_first_row_of_a_headerless_file_is_data(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "tape_2026.csv"
    path.write_text("".join(f"L{n:05d};2026-01-{n % 28 + 1:02d};{n}.50;ok\n" for n in range(40)))
    assert ("format", "the first line is data: give the columns their names, in this order") in draft(
        path
    ).notes
    contract = drafted(home, path)
    frame = loaded(path, contract)
    assert len(frame) == 40
    assert frame.row(0)[1:] == ("L00000", date(2026, 1, 1), 50, "ok")


@pytest.mark.parametrize("suffix", ["xlsx", "ods"])
def test_the_first_row_of_a_headerless_sheet_is_data_too(home: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tape_2026.{suffix}"
    rows = [[f"L{n:05d}", date(2026, 1, n % 28 + 1), n + 0.5, None if n % 7 else "late"] for n in range(40)]
    if suffix == "ods":
        write_ods(path, rows)
    else:
        workbook = openpyxl.Workbook()
        for row in rows:
            workbook.active.append(row)
        workbook.save(path)
    frame = loaded(path, drafted(home, path))
    assert len(frame) == 40
    assert frame.row(0)[1:] == ("L00000", date(2026, 1, 1), 50, "late")


def test_what_has_happened_is_drafted_as_past(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "loans.csv"
    rows = [f"L{n},2024-01-{n % 28 + 1:02d},2099-06-{n % 28 + 1:02d},2099-01-01" for n in range(40)]
    path.write_text("\n".join(["loan_no,opened_on,due_date,reported_on", *rows]) + "\n")
    columns = {column.name: column.past for column in drafted(home, path).columns}
    assert columns == {"loan_no": False, "opened_on": True, "due_date": False, "reported_on": False}


@pytest.mark.parametrize(
    "text",
    ["region,2024,2025\nEast,3.5,2024\nWest,4.5,2025\n", "a,b\nx,y\nz,u\n", ",v,w\n0,1.5,x\n1,2.5,y\n"],
)
def test_a_header_is_not_taken_for_data(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text(text)
    assert "header" not in read_sample(path).form


@pytest.mark.parametrize("target", ["default", "is_bad", "TARGET", "违约"])
def test_an_outcome_is_never_part_of_a_key(home: Path, tmp_path: Path, target: str) -> None:
    path = tmp_path / "cases.csv"
    rows = [f"{n // 4},{n // 2 % 2},{n % 2}" for n in range(80)]
    path.write_text("\n".join([f"client_id,visit,{target}", *rows]) + "\n", encoding="utf-8")
    contract = drafted(home, path)
    assert contract.key == ("client_id", "visit")


SAMPLE = pl.DataFrame(
    {
        "customer_id": [f"C{n % 30}" for n in range(120)],
        "month": [date(2026, n // 30 + 1, 28) for n in range(120)],
        "amount": [n * 1.25 for n in range(120)],
        "seen_at": [datetime(2026, 1, 1, 10, n % 60) for n in range(120)],
        "grade": ["ABC"[n % 3] for n in range(120)],
        "comment": [None if n % 2 else f"row {n}" for n in range(120)],
    }
)


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet", "jsonl"])
def test_a_draft_loads_its_own_sample_in_every_format(home: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sales_2026.{suffix}"
    match suffix:
        case "csv":
            SAMPLE.write_csv(path, separator="|", datetime_format="%Y-%m-%d %H:%M")
        case "xlsx":
            workbook = openpyxl.Workbook()
            for row in [tuple(SAMPLE.columns), *SAMPLE.rows()]:
                workbook.active.append(row)
            workbook.save(path)
        case "parquet":
            SAMPLE.write_parquet(path)
        case "jsonl":
            SAMPLE.with_columns(pl.col("seen_at").dt.strftime("%Y-%m-%dT%H:%M:%S")).write_ndjson(path)
    made = draft(path)
    assert made.source == "sales"
    target = home / "contracts" / "sales.yml"
    target.parent.mkdir()
    target.write_text(made.text, encoding="utf-8")
    contract = read_contract(target)
    assert contract.key == ("customer_id", "month")
    assert contract.takes_file(f"sales_2027.{suffix}")
    types = {column.name: column.type for column in contract.columns}
    assert types["month"] == "date"
    assert types["amount"] == "money"
    assert types["seen_at"] == "ts"
    assert types["grade"] == "code"
    assert contract.column("comment").required is False
    assert contract.relationships[0].to == "customers"
    results = [validate(batch, contract) for batch in read_batches(open_source_file(path, contract))]
    assert sum(len(each.good) for each in results) == 120
    assert load_contract("sales") == contract


def test_an_exported_sheet_with_padded_titles_row_numbers_and_a_total(home: Path, tmp_path: Path) -> None:
    """As office programs write it: titles padded to the width of the table, a blank line, a total."""
    rows = [f"{n};XW{n:05d};{n},250.{n % 100:02d};{n % 9}.5;{'是' if n % 2 else '否'}" for n in range(1, 201)]
    lines = ["小微贷款台账;;;;", "单位：元;;;;", "", "序号;合同号;合同金额（元）;年利率(%);是否展期", *rows]
    path = tmp_path / "small_loans_20260630.csv"
    path.write_text("\r\n".join([*lines, "合计;;9,999,999.99;;"]) + "\r\n", encoding="gb18030")
    made = draft(path)
    assert ("rows", "1 rows are totals: without a key they go to quarantine") in made.notes
    target = home / "contracts" / "small_loans.yml"
    target.parent.mkdir()
    target.write_text(made.text, encoding="utf-8")
    contract = read_contract(target)
    assert contract.key == ("contract_no",), "a running number says nothing of the loan"
    assert (contract.format.skip_lines, contract.format.thousands) == (3, ",")
    assert contract.delivery.history is False, "old rows must not look known too early"
    (checked,) = [validate(each, contract) for each in read_batches(open_source_file(path, contract))]
    assert checked.good.select("contract_no", "amount", "annual_rate", "is_extended").rows()[1] == (
        "XW00002", 225_002, 0.025, False
    )  # fmt: skip
    assert [row.line for row in checked.bad] == [205]


def test_a_file_that_cannot_be_drafted_says_why(home: Path, tmp_path: Path) -> None:
    empty = tmp_path / "things.csv"
    empty.write_text("a,b\n")
    with pytest.raises(DataRefusedError, match="no rows"):
        draft(empty)
    known = tmp_path / "payments.csv"
    known.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="a source 'payments' already"):
        draft(known)
    with pytest.raises(UsageError, match="does not exist"):
        draft(tmp_path / "absent.csv")
    numbers = tmp_path / "20260630.csv"
    numbers.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="--source"):
        draft(numbers)
    assert draft(numbers, source="daily").source == "daily"


def test_the_platforms_own_contracts_have_no_findings() -> None:
    own = [each for name in load_contracts() for each in check([name])]
    assert own == []


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("domain: reference", "domain: marketing", 2, "'marketing'"),
        ("type: money", "type: currency", 29, "'currency'"),
        ("expression: amount > 0", "expression: amout > 0", None, "amout"),
        ("    unit: currency\n", "", 28, "a number without a `unit`"),
        ('en: "Amount guaranteed."', 'en: "Draft: column x."', 28, "still the draft's"),
        ('zh: "担保金额。"', 'zh: "amount"', 28, "no Chinese"),
        ("name: kind\n    type: code", "name: phone\n    type: text", 32, "personal data (phone)"),
        (
            "columns: [facility_id], to: facilities",
            "columns: [signed_on], to: facilities",
            10,
            "different types",
        ),
        ("grain:", 'files: ["pay*.csv"]\ngrain:', 5, "also takes files of payments"),
    ],
)
def test_a_finding_names_its_line(home: Path, old: str, new: str, line: int | None, message: str) -> None:
    assert old in VALID
    path = write(home, VALID.replace(old, new))
    findings = check([str(path)])
    assert findings
    assert any(message in each.message and (line is None or each.line == line) for each in findings)
    assert all(each.remedy and each.file == str(path) for each in findings)


def test_the_commands_answer_people_and_programs(home: Path) -> None:
    write(home, VALID)
    runner = CliRunner()
    listed = runner.invoke(app, ["sources", "list", "--json"])
    assert '"guarantors"' in listed.stdout
    shown = runner.invoke(app, ["sources", "show", "guarantors"])
    assert "担保金额" in shown.stdout
    assert runner.invoke(app, ["sources", "check", "guarantors"]).exit_code == 0
    write(home, VALID.replace("domain: reference", "domain: marketing"))
    refused = runner.invoke(app, ["sources", "check"])
    assert refused.exit_code == 2
    assert "guarantors.yml:2: domain: 'marketing' is not one of the allowed words" in refused.stdout


def test_a_contract_extends_nothing_it_does_not_know(home: Path) -> None:
    assert isinstance(load_contracts()["payments"], Contract)
    with pytest.raises(UsageError, match="no source 'nothing'"):
        check(["nothing"])
