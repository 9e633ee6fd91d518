"""Any set from a file: delimited text or ARFF, packed or not, with or without a header, any two outcomes."""

from __future__ import annotations

import csv
import gzip
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from creditops.errors import DataRefusedError, UsageError

MISSING = ("?", "", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", ".")
_TARGETS = ("bad", "default", "target", "class", "label", "outcome", "y", "bad_flag", "loan_status", "status")
# What is bad and what is good, in lower case.
_PAIRS = (
    ("1", "0"), ("2", "1"), ("1", "-1"), ("yes", "no"), ("y", "n"), ("true", "false"), ("t", "f"),
    ("bad", "good"), ("b", "g"), ("default", "paid"), ("charged off", "fully paid"), ("是", "否"),
)  # fmt: skip
_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.*)", re.IGNORECASE)


def read_set(path: Path, target: str | None, bad: str | None = None) -> tuple[pd.DataFrame, np.ndarray]:
    """Columns of a file, and the outcome with 1 for bad.

    Parameters
    ----------
    target: name or position (from 1; ``last``) of the outcome; by default a column with a usual name, else
        the last one.
    bad: the value that is bad; by default what its coding says (1 of 0 and 1, 2 of 1 and 2, yes, bad, ...),
        else the rarer value.

    Raises
    ------
    UsageError: no such file or column, or an outcome that is no choice of two.
    DataRefusedError: the file holds no rows.
    """
    if not path.is_file():
        raise UsageError(
            f"there is no file {path}", hint="name a .csv, .tsv, .data or .arff file, or one packed"
        )
    suffixes = [each.lower() for each in path.suffixes if each.lower() != ".gz"]
    text = _text(path)
    frame = _arff(text) if suffixes and suffixes[-1] == ".arff" else _delimited(text, target)
    if frame.empty:
        raise DataRefusedError(f"{path.name} holds no rows", hint="look at its separator and header")
    outcome = _column(frame, target, path)
    known = frame[outcome].notna()
    if not known.all():
        print(f"{path.name}: {int((~known).sum())} rows without an outcome are left out", file=sys.stderr)
        frame = frame[known].reset_index(drop=True)
    values = frame.pop(outcome)
    return _typed(frame), _coded(values, bad, f"{path.name}: {outcome}")


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def _arff(text: str) -> pd.DataFrame:
    lines = [line.strip() for line in text.splitlines()]
    start = next((place for place, line in enumerate(lines) if line.lower().startswith("@data")), None)
    if start is None:
        raise DataRefusedError("the ARFF file has no @data", hint="is it whole?")
    names = [match[1].strip("'\"") for line in lines[:start] if (match := _ATTRIBUTE.match(line))]
    rows = [line for line in lines[start + 1 :] if line.strip() and not line.lstrip().startswith("%")]
    if rows and rows[0].lstrip().startswith("{"):
        raise DataRefusedError("the ARFF file is sparse", hint="write it in the dense form")
    quote = "'" if any("'" in row for row in rows[:200]) else '"'
    table = csv.reader(rows, quotechar=quote, skipinitialspace=True)
    return _frame([row[: len(names)] for row in table], names)


def _delimited(text: str, target: str | None) -> pd.DataFrame:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return pd.DataFrame()
    separator = _separator(lines[:50])
    if separator is None:
        rows = [line.split() for line in lines]
    else:
        rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    if len(rows) > 1 and _is_header(rows[0], rows[1:50], target):
        return _frame(rows[1:], [name.strip() for name in rows[0]])
    return _frame(rows, [f"column_{place + 1}" for place in range(len(rows[0]))])


def _separator(lines: list[str]) -> str | None:
    """The mark that parts every line into the same number of cells, the most; ``None``: white space."""
    best: tuple[int, str | None] = (len(lines[0].split()), None)
    if len({len(line.split()) for line in lines}) > 1:
        best = (1, None)
    for mark in (",", ";", "\t", "|"):
        widths = {len(row) for row in csv.reader(lines, delimiter=mark)}
        width = max(widths)
        if len(widths) == 1 and width > 1 and (width > best[0] or best[1] is None):
            best = (width, mark)
    if best == (1, None):  # ragged: the commonest mark of the first line
        counts = {mark: lines[0].count(mark) for mark in (",", ";", "\t", "|")}
        mark = max(counts, key=lambda each: counts[each])
        return mark if counts[mark] else None
    return best[1]


def _is_header(first: list[str], rest: list[list[str]], target: str | None) -> bool:
    cells = [cell.strip() for cell in first]
    if target is not None and target in cells:
        return True
    if any(_is_number(cell) for cell in cells) or len(set(cells)) < len(cells):
        return False
    # Words on top of numbers, or words that no later row says again.
    numeric = any(_is_number(row[place]) for row in rest for place in range(min(len(row), len(cells))))
    repeated = sum(
        any(place < len(row) and row[place].strip() == cell for row in rest)
        for place, cell in enumerate(cells)
    )
    return numeric and repeated == 0


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _frame(rows: list[list[str]], names: list[str]) -> pd.DataFrame:
    width = len(names)
    cells = [[cell.strip() for cell in row[:width]] + [""] * (width - len(row)) for row in rows]
    frame = pd.DataFrame(cells, columns=pd.Index(names, dtype=object), dtype=object)
    if frame.columns.duplicated().any():
        frame.columns = pd.Index([f"{name}_{place}" for place, name in enumerate(names)], dtype=object)
    return frame.where(~frame.isin(MISSING), None)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as numbers: a column whose every filled cell is one, percent signs and thousands taken off."""
    columns: dict[str, pd.Series] = {}
    for name in frame.columns:
        values = frame[name]
        plain = pd.to_numeric(values, errors="coerce")
        if plain.isna().sum() > values.isna().sum():
            plain = pd.to_numeric(
                values.str.replace(r"(?<=\d),(?=\d{3})|%$|^[$€£¥]", "", regex=True), errors="coerce"
            )
        fits = plain.isna().sum() == values.isna().sum()
        columns[str(name)] = plain.astype("float64") if fits else values
    return pd.DataFrame(columns)


def _column(frame: pd.DataFrame, target: str | None, path: Path) -> str:
    names = [str(name) for name in frame.columns]
    if target is None:
        lower = {name.lower(): name for name in names}
        found = next((lower[name] for name in _TARGETS if name in lower), names[-1])
        print(f"{path.name}: outcome is {found}", file=sys.stderr)
        return found
    if target in names:
        return target
    if target == "last":
        return names[-1]
    if target.lstrip("-").isdigit() and 1 <= int(target) <= len(names):
        return names[int(target) - 1]
    raise UsageError(
        f"{path.name} has no column {target!r}",
        hint=f"--target is one of {', '.join(names)}, a position, or last",
    )


def _coded(values: pd.Series, bad: str | None, what: str) -> np.ndarray:
    said = values.astype(str).str.strip()
    numbers = pd.to_numeric(said, errors="coerce")
    if numbers.notna().all():
        said = numbers.map(lambda value: f"{value:g}")
    distinct = sorted(said.unique())
    if bad is not None:
        if bad not in distinct:
            raise UsageError(f"{what} is never {bad!r}", hint=f"--bad is one of {', '.join(distinct[:20])}")
        return (said == bad).to_numpy(dtype=int)
    if len(distinct) != 2:
        raise UsageError(
            f"{what} has {len(distinct)} values and not two: {', '.join(distinct[:8])}",
            hint="say which one is bad with --bad VALUE, or name another column with --target",
        )
    lower = {value.lower(): value for value in distinct}
    for sign, other in _PAIRS:
        if set(lower) == {sign, other}:
            return (said == lower[sign]).to_numpy(dtype=int)
    counts = said.value_counts()
    rarer = min(distinct, key=lambda value: (counts[value], value))
    print(f"{what}: {rarer!r}, the rarer value, is taken for bad", file=sys.stderr)
    return (said == rarer).to_numpy(dtype=int)
