"""Drafts a source contract from a sample file, for a person to complete.

What the draft holds is a guess from the first rows (:mod:`creditops.onboarding.sample`). What is not
certain is drafted as text, with a comment that says what was seen and what to choose. A draft is valid and
loads its own sample.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from creditops import clock
from creditops.errors import DataRefusedError, UsageError
from creditops.onboarding.guess import Guess, as_text, guess_columns, is_row_number, null_words, total_rows
from creditops.onboarding.sample import Sample, read_sample
from creditops.personal_data import masked
from creditops.reading.canonical_cells import as_contract_writes
from creditops.reading.typed_cells import typed
from creditops.settings import get_settings
from creditops.sources.column import Column
from creditops.sources.contract import load_contracts
from creditops.sources.model import Domain, FileFormat
from creditops.sources.terms import (
    DRAFT_EN,
    DRAFT_ZH,
    REFERENCES,
    column_name,
    has_happened,
    is_outcome,
)

_DOMAIN_WORDS: dict[Domain, str] = {
    "repayment": r"pay|repay|due|collect|instal|loan|还款|催收|应还|扣款|贷款|借据|台账",
    "bureau": r"bureau|credit_report|tradeline|inquir|征信",
    "financial": r"statement|invoice|financ|tax|财务|报表|发票",
    "reference": r"",
}


@dataclass(frozen=True)
class Draft:
    """A contract's YAML and what a person should look at, as (place, note)."""

    source: str
    text: str
    notes: list[tuple[str, str]]


def draft(path: Path, *, source: str | None = None, domain: Domain | None = None) -> Draft:
    """Draft a contract for files like ``path``.

    Raises
    ------
    UsageError: the file does not exist, or its name makes no source name and none is given.
    DataRefusedError: the file cannot be read, or has no rows.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist", hint="name a file with a header and some rows")
    name = source or source_name(path)
    if name in load_contracts():
        raise UsageError(
            f"there is a source {name!r} already",
            hint="choose another name with --source; a contract of your own is changed by editing its file",
        )
    sample = read_sample(path)
    if sample.cells.is_empty():
        raise DataRefusedError(
            f"{path.name}: has no rows below its header", hint="draft from a file with rows"
        )
    return _write(path, name, domain or _domain(f"{name} {path.name}"), sample)


def guess_sample(
    cells: pl.DataFrame,
) -> tuple[pl.DataFrame, list[str], tuple[str, ...], list[Guess]]:
    """The sample with its words for no value as null, column names, these words, and a guess per column.

    A guess that the sample itself breaks gives way to text: a draft loads what it was made from.
    """
    words = null_words(cells)
    if words:
        cells = cells.with_columns(pl.when(~pl.all().is_in(list(words))).then(pl.all()))
    names = _unique([column_name(header, at) for at, header in enumerate(cells.columns)])
    guesses = guess_columns(cells, names)
    form = FileFormat.model_validate(way_of_writing(guesses, words))
    for at, (header, guess) in enumerate(zip(cells.columns, guesses, strict=True)):
        if guess.type in ("text", "id", "code"):
            continue
        read, broken = _read(cells, header, guess, form)
        if broken is not None:
            note = f"looks like {guess.type}, but {masked(broken)!r} is none"
            guesses[at] = as_text(guess, cells[header], note)
        elif guess.type in ("date", "ts") and guess.pii == "none" and has_happened(names[at], header):
            guess.past = bool((read.dt.date() <= clock.today(get_settings().timezone)).all())
    return cells, names, words, guesses


def _read(cells: pl.DataFrame, header: str, guess: Guess, form: FileFormat) -> tuple[pl.Series, str | None]:
    """A column as loading would read it by the guess, and the first cell that it would not read."""
    column = Column.model_validate(
        {
            "name": "value",
            "header": header,
            "type": guess.type,
            "date_format": guess.date_format,
            "percent": guess.percent,
            "null_values": guess.null_values,
            "description": {"en": DRAFT_EN, "zh": DRAFT_ZH},
        }
    )
    written = cells.select(as_contract_writes(column, form))
    read = written.select(typed(column, "UTC").alias("read"), "value")
    broken = cells[header].filter(read["read"].is_null() & read["value"].is_not_null())
    return read["read"], None if broken.is_empty() else str(broken[0])


def way_of_writing(guesses: list[Guess], words: tuple[str, ...]) -> dict[str, object]:
    """The part of a contract's ``format`` that follows from the guesses."""
    form: dict[str, object] = {}
    if any(guess.decimal == "," for guess in guesses):
        form["decimal"] = ","
    if marks := [guess.thousands for guess in guesses if guess.thousands]:
        form["thousands"] = marks[0]
    if words:
        form["null_values"] = list(words)
    return form


def source_name(path: Path) -> str:
    """The name that a file's own name makes, without days and numbers.

    Raises
    ------
    UsageError: it makes none.
    """
    stem = re.sub(r"[\d\s._-]+$", "", re.sub(r"(?<!^)[._-]?\d{4,}.*", "", path.name.split(".", 1)[0]))
    name = column_name(stem, -1)
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", name) or name == "column_0":
        raise UsageError(f"{path.name} makes no source name", hint="give one with --source, like loan_book")
    return name


def _pattern(path: Path, source: str) -> str | None:
    """A name pattern of files like this one, where the name before the dot is not the source's."""
    if path.name.split(".", 1)[0] == source:
        return None
    return re.sub(r"\*[*._-]*\*", "*", re.sub(r"\d+", "*", path.name))


def _domain(name: str) -> Domain:
    return next(domain for domain, words in _DOMAIN_WORDS.items() if re.search(words, name))


def _key(cells: pl.DataFrame, names: list[str], guesses: list[Guess]) -> tuple[list[int], bool]:
    """The fewest columns that tell all rows apart, identifiers first, then days, then codes; else those
    that tell most rows apart. And whether they tell all.
    """
    rank = {"id": 0, "date": 1, "ts": 1, "code": 2, "text": 3, "int": 3, "bigint": 3}
    able = [
        at
        for at, guess in enumerate(guesses)
        if guess.required
        and guess.type in rank
        and guess.pii != "birth_date"
        and not is_outcome(names[at])
        and not is_outcome(cells.columns[at])
    ] or [0]
    able = [at for at in able if not is_row_number(cells.to_series(at))] or able
    able.sort(key=lambda at: (rank[guesses[at].type], at))
    distinct = cells.unique()
    best: tuple[int, list[int]] = (0, [0])
    for width in (1, 2, 3):
        for columns in itertools.combinations(able[:12], width):
            told = distinct.select(cells.columns[at] for at in columns).n_unique()
            if told == len(distinct):
                return sorted(columns), True
            best = max(best, (told, sorted(columns)), key=lambda found: found[0])
    return best[1], False


def _write(path: Path, source: str, domain: Domain, sample: Sample) -> Draft:
    totals = total_rows(sample.cells)
    cells = sample.cells.filter(~totals)
    cells, names, words, guesses = guess_sample(cells)
    notes = [(name, note) for name, guess in zip(names, guesses, strict=True) for note in guess.notes]
    if sample.form.get("header") is False:
        notes.append(("format", "the first line is data: give the columns their names, in this order"))
    if totals.any():
        notes.append(("rows", f"{totals.sum()} rows are totals: without a key they go to quarantine"))
    form = dict(sample.form) | way_of_writing(guesses, words)
    key, tells_all = _key(cells, names, guesses)
    if not tells_all:
        notes.append(("key", "no columns tell all rows apart: choose the key; repeats go to quarantine"))
    days = [
        name
        for name, guess in zip(names, guesses, strict=True)
        if guess.type in ("date", "ts") and guess.required and guess.pii == "none"
    ]
    lines = [
        "# Draft from a sample. Look at every comment, complete the descriptions, then run",
        f"#   creditops sources check {source}",
        f"source: {source}",
        f"domain: {domain}  # repayment, financial, bureau or reference: which ingest run takes it in",
        "version: 1",
        "description:",
        f"  en: {quoted(f'{DRAFT_EN}s of files like {path.name}.')}",
        f"  zh: {quoted(f'{DRAFT_ZH} {path.name} 各列。')}",
        f"grain: one row per {' and '.join(names[at] for at in key)}",
        f"key: [{', '.join(names[at] for at in key)}]",
    ]
    if days:
        lines.append(f"effective: {days[0]}  # the day on which the row is true")
        lines.append(f"available: [{days[0]}]  # the day on which the row could first be known")
    # Old rows must not look known too early: that is for a person to say.
    lines.append(
        "delivery: { mode: incremental, history: false }  # or mode snapshot: every file holds all rows;"
    )
    lines.append("#   history: true: rows of the first delivery were known on their `available` day")
    lines += ["freshness_days: 35", "min_rows_per_delivery: 1", "bad_row_limit: 0.01"]
    if pattern := _pattern(path, source):
        lines.append(f"files: [{quoted(pattern)}]")
    if form:
        lines += ["format:", *(f"  {name}: {quoted(value)}" for name, value in form.items())]
    known = load_contracts()
    references = [
        name for name, guess in zip(names, guesses, strict=True) if name in REFERENCES and guess.pii == "none"
    ]
    targets = [(name, REFERENCES[name]) for name in references if REFERENCES[name] in known]
    if targets:
        lines.append("relationships:")
        lines += [f"  - {{ columns: [{name}], to: {to}, to_columns: [{name}] }}" for name, to in targets]
    lines.append("columns:")
    for at, (header, name, guess) in enumerate(zip(cells.columns, names, guesses, strict=True)):
        lines += column_lines(
            header, name, guess, required=guess.required or at in key, references=references
        )
    return Draft(source, "\n".join(lines) + "\n", notes)


def column_lines(header: str, name: str, guess: Guess, *, required: bool, references: list[str]) -> list[str]:
    """The YAML of one drafted column."""
    if name in references:
        guess.type, guess.values, guess.max_length, guess.unit = "id", None, None, None
    lines = [f"  - name: {name}"]
    if header != name:
        lines.append(f"    header: {quoted(header)}")
    lines.append(f"    type: {guess.type}" + (f"  # {'; '.join(guess.notes)}" if guess.notes else ""))
    if required:
        lines.append("    required: true")
    if guess.date_format:
        lines.append(f"    date_format: {quoted(guess.date_format)}")
    if guess.past:
        lines.append("    past: true  # a day after that of the delivery is a fault")
    if guess.percent:
        lines.append("    percent: true")
    if guess.null_values:
        lines.append(f"    null_values: {quoted(list(guess.null_values))}")
    if guess.unit:
        lines.append(f"    unit: {guess.unit}")
    if guess.values:
        lines.append(f"    values: {quoted(list(guess.values))}")
    if guess.max_length:
        lines.append(f"    max_length: {guess.max_length}")
    if guess.pii == "birth_date":
        lines.append('    min: "1900-01-01"')
    if guess.pii != "none":
        lines.append(f"    pii: {guess.pii}")
    shown = quoted(header)[1:-1]
    lines.append(f'    description: {{ en: "{DRAFT_EN} {shown}.", zh: "{DRAFT_ZH}{shown}列。" }}')
    return lines


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        name = f"{name}_" if name in ("book", "loaded_at") else name
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found


def quoted(value: object) -> str:
    """A YAML flow value; JSON is one."""
    return json.dumps(value, ensure_ascii=False)
