"""What is drafted from a flat file with an outcome, and what must be said where the file does not."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from creditops.adapters import load_adapter
from creditops.errors import DataRefusedError, UsageError
from creditops.ingest.check.validation import validate
from creditops.onboarding.flat_draft import FlatDraft, draft_flat
from creditops.onboarding.flat_file import special_values
from creditops.onboarding.trial import try_adapter
from creditops.reading.reader import LINE
from creditops.sources.contract import load_contract
from models_ml.spec import scorecard
from tests.contract.open_document import write_ods

TODAY = date(2026, 12, 1)


def drafted(tmp_path: Path, header: str, rows: list[str], **said: Any) -> FlatDraft:
    path = tmp_path / "cases_2025.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    made = draft_flat(path, today=TODAY, **said)
    for file, text in made.files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return made


ROWS = [
    f"K{n:03d};2025-06-30;{n % 60 + 18};{n}.250,50;13912345{n:03d};{n % 3 or -1};{n % 2}" for n in range(100)
]
HEADER = "client_id;observed_on;age;balance;mobile;visits;is_bad"


def test_the_drafts_hold_together_and_read_their_own_file(home: Path, tmp_path: Path) -> None:
    made = drafted(tmp_path, HEADER, ROWS)
    assert (made.book, made.observed_on, made.outcome_on) == ("cases", date(2025, 6, 30), date(2026, 6, 30))
    adapter = load_adapter("cases")
    adapter.try_empty()
    rows = {each.source: each.frame for each in adapter.read(tmp_path / "cases_2025.csv")}
    assert {source: len(frame) for source, frame in rows.items()} == dict.fromkeys(
        ("customers", "characteristics", "outcomes"), 100
    )
    assert rows["characteristics"].row(1, named=True)["balance"] == "1250.50"
    assert rows["outcomes"]["default"].value_counts().sort("default").rows() == [("false", 50), ("true", 50)]
    columns = {column.name: column for column in load_contract("characteristics", "cases").columns}
    assert "mobile" not in columns, "personal data is left aside"
    assert list(columns["visits"].special_values) == ["-1"]
    assert columns["age"].protected
    assert {"balance", "visits"} == set(scorecard("cases").features)


def test_a_file_without_identifier_or_header_is_drafted_too(home: Path, tmp_path: Path) -> None:
    rows = [f"{n % 7},{n % 5}.5,{'default' if n % 4 == 0 else 'good'}" for n in range(60)]
    path = tmp_path / "tape.csv"
    path.write_text("\n".join(rows) + "\n")
    made = draft_flat(path, target="column_3", observed_on=date(2025, 1, 31), today=TODAY)
    for file, text in made.files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    customers, variables, outcomes = load_adapter("tape").read(path)
    assert customers.frame["customer_id"].to_list()[:2] == ["R1", "R2"]
    assert variables.frame.row(0) == ("R1", "2025-01-31", "0", "0.5")
    assert outcomes.frame["default"].to_list()[:2] == ["true", "false"]


@pytest.mark.parametrize("headed", [True, False], ids=["header", "headerless"])
@pytest.mark.parametrize("suffix", ["xlsx", "ods", "parquet"])
def test_a_flat_set_may_be_a_sheet_or_parquet(home: Path, tmp_path: Path, suffix: str, headed: bool) -> None:
    """The same rows as text and in another form are mapped to the same rows."""
    if suffix == "parquet" and not headed:
        pytest.skip("Parquet always names its columns")
    header = ["client_id", "observed_on", "balance", "usage", "visits", "is_bad"]
    rows: list[list[Any]] = [
        [f"K{n:03d}", date(2025, 6, 30), n * 1000 + 0.25, n / 400, None if n % 9 == 4 else n % 3 or -1, n % 2]
        for n in range(100)
    ]
    said: dict[str, Any] = {} if headed else {"target": "column_6", "observed_on": date(2025, 6, 30)}
    path = tmp_path / f"cases_2025.{suffix}"
    match suffix:
        case "xlsx":
            workbook = openpyxl.Workbook()
            for row in [header, *rows] if headed else rows:
                workbook.active.append(row)
            for cell in workbook.active["D"][1 if headed else 0 :]:
                cell.number_format = "0.00%"
            workbook.save(path)
        case "ods":
            write_ods(path, [header, *rows] if headed else rows)
        case _:
            pl.DataFrame(rows, schema=header, orient="row").write_parquet(path)
    made = draft_flat(path, today=TODAY, **said)
    for file, text in made.files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    adapter = load_adapter("cases")
    variables = {each.source: each.frame for each in adapter.read(path)}["characteristics"]
    checked = validate(
        variables.with_row_index(LINE), adapter.contracts["characteristics"], delivery=made.observed_on
    )
    assert checked.bad == []
    balance, usage, visits = checked.good.columns[-3:]
    found = checked.good.select(balance, pl.col(usage).round(9), visits).rows()
    assert found == [
        (n * 100000 + 25, round(n / 400, 9), None if n % 9 == 4 else n % 3 or -1) for n in range(100)
    ]


def test_an_error_of_a_flat_sheet_is_quarantined_and_a_long_number_refuses_it(
    home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cases_2025.xlsx"
    header = ["client_id", "observed_on", "balance", "is_bad"]
    rows: list[list[Any]] = [[f"K{n:03d}", date(2025, 6, 30), n + 0.5, n % 2] for n in range(100)]

    def saved() -> None:
        workbook = openpyxl.Workbook()
        for row in [header, *rows]:
            workbook.active.append(row)
        workbook.save(path)

    saved()
    for file, text in draft_flat(path, today=TODAY).files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    rows[4][2] = "#DIV/0!"
    saved()
    trials = {each.source: each for each in try_adapter(load_adapter("cases"), path)}
    assert (trials["characteristics"].bad, trials["customers"].bad) == (1, 0)
    rows[4][0] = 620000000000000001
    saved()
    with pytest.raises(DataRefusedError, match="row 6, column 'client_id'"):
        list(load_adapter("cases").read(path))


@pytest.mark.parametrize(
    ("header", "cell", "said", "problem"),
    [
        ("client_id,observed_on,x", "2025-06-30,1", {}, "those that look like one: none"),
        ("client_id,observed_on,bad", "2025-06-30,{two}", {}, "which value of 'bad' is the bad one: 1 or 2"),
        ("client_id,x,bad", "1,{one}", {}, "no column says for which day"),
        ("client_id,observed_on,bad", "2025-06-30,{one}", {"target": "worse"}, "no column 'worse'"),
        ("client_id,observed_on,x", "2025-06-30,{three}", {"target": "x"}, "has 3 values, not two"),
        ("client_id,observed_on,bad", "2026-11-30,{one}", {"outcome_on": date(2026, 1, 1)}, "cannot follow"),
    ],
)
def test_what_the_file_does_not_say_is_asked_for(
    home: Path, tmp_path: Path, header: str, cell: str, said: dict[str, Any], problem: str
) -> None:
    rows = [f"K{n},{cell.format(one=n % 2, two=n % 2 + 1, three=n % 3)}" for n in range(30)]
    with pytest.raises(UsageError, match=problem) as caught:
        drafted(tmp_path, header, rows, **said)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-1, -1, 0, 5, 9] * 10, [-1]),
        ([999, 999, 3, 20, 45] * 10, [999]),
        ([0, 0, 520, 610, 700] * 10, [0]),
        ([-3, -2, -1, 0, 1, 2, 3, 4] * 10, []),
        ([97, 98, 99, 99] * 10, []),
        ([0, 1, 2, 3] * 10, []),
        ([-999, -1, 0.5, 999999, 7.25] * 10, [-999, -1, 999999]),
    ],
)
def test_numbers_that_are_states_are_found(values: list[float], expected: list[int]) -> None:
    assert special_values(pl.Series("x", map(str, values))) == expected
