"""A delivery that is within every bound and still unlikely is said so, by the gate and by a trial."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from creditops.cli import app
from creditops.ingest.land.landing import land
from creditops.ingest.write.loader import load_file
from creditops.quality import standing
from creditops.quality.gate import gate_raw

BEFORE, DAY = date(2026, 5, 31), date(2026, 6, 30)
HEADER = "due_item_id,facility_id,kind,issued_on,due_date,amount_due,principal,interest,fee,currency"

Row = Callable[[int], tuple[str, str, str, str, str]]


def usual(n: int) -> tuple[str, str, str, str, str]:
    """Item, facility, issue day, due day and amount of an ordinary row."""
    return (
        f"D{n:05d}",
        f"F{n % 20:03d}",
        "2026-04-01",
        str(date(2026, 5, 1) + timedelta(days=n % 28)),
        f"{900 + n}.50",
    )


def in_cents(n: int) -> tuple[str, str, str, str, str]:
    item, facility, issued, due, amount = later(n)
    return item, facility, issued, due, amount.replace(".", "") + ".00"


def later(n: int) -> tuple[str, str, str, str, str]:
    return usual(n + 1000)


def without_issue_day(n: int) -> tuple[str, str, str, str, str]:
    item, facility, _, due, amount = later(n)
    return item, facility, "", due, amount


def of_other_facilities(n: int) -> tuple[str, str, str, str, str]:
    item, _, issued, due, amount = usual(n)
    return item, f"F{(n + 1) % 20:03d}", issued, due, amount


def with_the_columns_swapped(n: int) -> tuple[str, str, str, str, str]:
    item, facility, issued, due, amount = later(n)
    return f"{facility}-{n}", item.replace("D", "X-"), issued, due, amount


def due_in_the_far_future(n: int) -> tuple[str, str, str, str, str]:
    item, facility, issued, due, amount = later(n)
    return item, facility, issued, due.replace("2026", "2062") if n == 7 else due, amount


def file(folder: Path, name: str, row: Row, rows: int = 100) -> Path:
    path = folder / name
    lines = [
        f"{item},{facility},instalment,{issued},{due},{amount},,,,CNY"
        for item, facility, issued, due, amount in map(row, range(rows))
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def baseline(module_warehouse: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An ordinary delivery in each book, a month before."""
    folder = tmp_path_factory.mktemp("baseline")
    for book in BOOKS:
        (landed,) = land(book, [file(folder, "due_items.csv", usual)], BEFORE)
        assert load_file(landed).rows_loaded == 100


CASES = [
    (in_cents, "the median of amount_due is"),
    (without_issue_day, "issued_on is empty in 100% of the rows, before in 0%"),
    (of_other_facilities, "facility_id is another than before in 100 of 100 rows: identities swapped?"),
    (with_the_columns_swapped, "looks like 'A-9' in 100 rows, before like 'A9'"),
    (due_in_the_far_future, "due_date reaches 2062-"),
]
BOOKS = [f"watched_{row.__name__}" for row, _ in CASES] + ["watched_later"]


@pytest.mark.usefixtures("baseline")
@pytest.mark.parametrize(("row", "says"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_unlikely_is_a_warning_of_the_gate_on_one_screen(tmp_path: Path, row: Row, says: str) -> None:
    book = f"watched_{row.__name__}"
    (landed,) = land(book, [file(tmp_path, "due_items.csv", row)], DAY)
    load_file(landed)
    gate_raw(book, DAY)  # it stops nothing
    assert any(says in sentence for sentence in standing.of_day(book, DAY)), standing.of_day(book, DAY)


@pytest.mark.usefixtures("baseline")
def test_an_ordinary_month_is_not_unlikely(tmp_path: Path) -> None:
    (landed,) = land("watched_later", [file(tmp_path, "due_items.csv", later)], DAY)
    load_file(landed)
    results = gate_raw("watched_later", DAY)
    kinds = ("has the scale", "is as full", "looks as", "is whom", "lies where")
    assert not [each for each in results if any(kind in each.check for kind in kinds)]


@pytest.mark.usefixtures("baseline")
def test_a_trial_says_it_before_anything_is_loaded(tmp_path: Path) -> None:
    path = file(tmp_path, "due_items.csv", in_cents)
    command = ["sources", "check", "due_items", "--try", str(path), "--book", "watched_later", "--json"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.stdout
    (sentence,) = json.loads(done.stdout)["trial"]["unlikely"]
    assert "times what it was" in sentence
    assert "another unit?" in sentence
