"""Sets of any form are read for the comparison: separators, headers, missing values, coded outcomes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks.comparison.files import read_set
from creditops.errors import DataRefusedError, UsageError

ROWS = [("1.5", "red", "1"), ("", "blue", "0"), ("2", "?", "0"), ("-3", "red", "0")]


def _write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["set.csv", "set.data", "set.csv.gz"])
def test_separators_headers_and_packing_are_found(tmp_path: Path, separator: str, name: str) -> None:
    text = "\n".join(separator.join(row) for row in [("amount", "colour", "default"), *ROWS])
    frame, bad = read_set(_write(tmp_path / name, text), None)
    assert list(frame) == ["amount", "colour"]
    assert frame["amount"].tolist()[0::2] == [1.5, 2.0]
    assert frame["amount"].isna().tolist() == [False, True, False, False]
    assert frame["colour"].isna().tolist() == [False, False, True, False]
    assert bad.tolist() == [1, 0, 0, 0]


def test_white_space_and_no_header(tmp_path: Path) -> None:
    text = "A11  6 A34 1169 1\nA12 48 A32 5951 2\nA14 12 A34 2096 1\n"
    frame, bad = read_set(_write(tmp_path / "german.data", text), "last")
    assert list(frame) == ["column_1", "column_2", "column_3", "column_4"]
    assert frame["column_2"].tolist() == [6.0, 48.0, 12.0]
    assert bad.tolist() == [0, 1, 0]
    assert read_set(tmp_path / "german.data", "5")[1].tolist() == [0, 1, 0]


def test_arff_with_quotes_comments_and_missing_values(tmp_path: Path) -> None:
    text = (
        "% from somewhere\n@RELATION credit\n@ATTRIBUTE 'checking status' {'<0','no checking'}\n"
        "@attribute age real\n@attribute class {good,bad}\n@DATA\n% rows\n"
        "'<0',?,bad\n'no checking', 33,good\n"
    )
    frame, bad = read_set(_write(tmp_path / "credit.arff", text), None)
    assert frame["checking status"].tolist() == ["<0", "no checking"]
    assert frame["age"].isna().tolist() == [True, False]
    assert bad.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("good", "bad"),
    [("0", "1"), ("1", "2"), ("-1", "1"), ("no", "yes"), ("False", "True"), ("good", "bad"), ("G", "B"),
     ("Fully Paid", "Charged Off"), ("0.0", "1.0"), ("benign", "malignant")],
)  # fmt: skip
def test_an_outcome_in_any_coding(tmp_path: Path, good: str, bad: str) -> None:
    text = f"x,outcome\n1,{good}\n2,{bad}\n3,{good}\n4,\n"
    frame, outcome = read_set(_write(tmp_path / "set.csv", text), "outcome")
    assert outcome.tolist() == [0, 1, 0]
    assert frame["x"].tolist() == [1.0, 2.0, 3.0]


def test_a_named_bad_value_parts_more_than_two(tmp_path: Path) -> None:
    path = _write(tmp_path / "set.csv", "x,status\n1,paid\n2,late\n3,lost\n")
    with pytest.raises(UsageError, match="has 3 values and not two"):
        read_set(path, "status")
    assert read_set(path, "status", "lost")[1].tolist() == [0, 0, 1]
    with pytest.raises(UsageError, match="never 'gone'"):
        read_set(path, "status", "gone")


def test_numbers_with_marks_are_numbers(tmp_path: Path) -> None:
    text = 'amount,rate,bad\n"1,234.50",5.5%,0\n"12,000",6%,1\n'
    frame, _ = read_set(_write(tmp_path / "set.csv", text), "bad")
    assert frame["amount"].tolist() == [1234.5, 12000.0]
    assert frame["rate"].tolist() == [5.5, 6.0]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        read_set(tmp_path / "none.csv", None)
    with pytest.raises(DataRefusedError, match="no rows"):
        read_set(_write(tmp_path / "empty.csv", ""), None)
    with pytest.raises(UsageError, match="no column 'goal'"):
        read_set(_write(tmp_path / "set.csv", "x,bad\n1,0\n2,1\n"), "goal")
    with pytest.raises(DataRefusedError, match="sparse"):
        read_set(_write(tmp_path / "s.arff", "@attribute x real\n@attribute bad {0,1}\n@data\n{0 1}\n"), None)
