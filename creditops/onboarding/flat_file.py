"""Finds in a flat file, a row per customer, what is its outcome, its key, its days and its variables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from creditops.books import check_book
from creditops.errors import DataRefusedError, UsageError
from creditops.onboarding.draft import guess_sample, source_name
from creditops.onboarding.guess import Guess
from creditops.onboarding.sample import read_sample
from creditops.sources.terms import hint_of_name, is_outcome

_BAD = {"1", "true", "t", "yes", "y", "bad", "default", "defaulted", "是", "违约", "坏"}
_GOOD = {"0", "false", "f", "no", "n", "good", "paid", "否", "正常", "好"}
_OBSERVED = r"observ|snapshot|as_?of|cut_?off|reference_date|观察|截止"
_SPECIAL_SHARE = 0.005


@dataclass(frozen=True)
class FlatFile:
    """What was found in a flat file.

    Attributes
    ----------
    cells, names, guesses: the sample, and per column its name and what it seems to hold.
    words, form, encoding: how the file is written.
    target, bad, good: position of the outcome, and its two values.
    customer, observed: positions of the identifier and of the observation day; ``None`` where the line's
        number and ``observed_on`` stand in.
    observed_on, outcome_on: the newest observation day, and the day on which outcomes were known.
    """

    path: Path
    book: str
    cells: pl.DataFrame
    names: list[str]
    words: tuple[str, ...]
    guesses: list[Guess]
    form: dict[str, object]
    encoding: str
    target: int
    bad: str
    good: str
    customer: int | None
    observed: int | None
    observed_on: date
    outcome_on: date

    @property
    def variables(self) -> list[int]:
        """Columns that become characteristics: all but keys, outcome and personal data."""
        used = {self.target, self.customer, self.observed}
        return [
            at for at, guess in enumerate(self.guesses)
            if at not in used and guess.pii == "none" and not is_outcome(self.names[at])
        ]  # fmt: skip


def read_flat(
    path: Path,
    *,
    book: str | None,
    target: str | None,
    bad: str | None,
    observed_on: date | None,
    outcome_on: date | None,
    today: date,
) -> FlatFile:
    """Look through a flat file; parameters and errors as :func:`.flat_draft.draft_flat`."""
    if not path.is_file():
        raise UsageError(f"{path} does not exist", hint="name a file with a row per customer")
    name = check_book(book or source_name(path))
    sample = read_sample(path)
    if sample.cells.is_empty():
        raise DataRefusedError(
            f"{path.name}: has no rows below its header", hint="draft from a file with rows"
        )
    cells, names, words, guesses = guess_sample(sample.cells)
    at = _target(cells, names, target)
    bad_value, good_value = _values(cells, at, bad)
    observed = _observed(cells, names, guesses) if observed_on is None else None
    if observed_on is None and observed is None:
        raise UsageError(
            f"{path.name}: no column says for which day the variables hold",
            hint="add --observed-on YYYY-MM-DD",
        )
    newest = observed_on or _newest(cells, observed or 0, guesses)
    flat = FlatFile(
        path, name, cells, names, words, guesses, sample.form, sample.encoding, at, bad_value, good_value,
        _customer(cells, names, guesses, observed, at), observed, newest,
        outcome_on or min(pl.select(pl.lit(newest).dt.offset_by("12mo")).item(), today),
    )  # fmt: skip
    if flat.outcome_on <= flat.observed_on:
        raise UsageError(
            f"outcomes known on {flat.outcome_on} cannot follow an observation on {flat.observed_on}",
            hint="give the days with --observed-on and --outcome-on",
        )
    return flat


def special_values(cells: pl.Series) -> list[int]:
    """Numbers of a column that look like states: negative ones among others that are not, 99.. far above the
    rest, 0 far below it.
    """
    numbers = cells.cast(pl.Float64, strict=False).drop_nulls()
    if numbers.is_empty():
        return []
    counted = numbers.value_counts().filter(pl.col("count") >= max(2, _SPECIAL_SHARE * len(numbers)))
    often = {int(value) for value in counted[numbers.name] if value == int(value)}
    negative = numbers.filter(numbers < 0).unique()
    found = {int(v) for v in negative if v in often} if len(negative) <= 2 and (numbers >= 0).any() else set()
    rest = numbers.filter(~numbers.is_in([float(v) for v in found]))
    highest = float(rest.max() or 0)  # type: ignore[arg-type]
    below = rest.filter(rest < highest)
    if re.fullmatch(r"9{2,9}", str(int(highest))) and int(highest) in often and len(below):
        found |= {int(highest)} if highest > 3 * float(below.max()) else set()  # type: ignore[arg-type]
    positive = rest.filter((rest > 0) & ~rest.is_in([float(v) for v in found]))
    if 0 in often and len(positive) and positive.min() >= max(100, positive.max() / 4):  # type: ignore[operator]
        found.add(0)
    return sorted(found)


def _target(cells: pl.DataFrame, names: list[str], said: str | None) -> int:
    if said is not None:
        if said not in cells.columns:
            raise UsageError(f"there is no column {said!r}", hint=f"there are {', '.join(cells.columns)}")
        return cells.columns.index(said)
    found = [
        at
        for at, (header, name) in enumerate(zip(cells.columns, names, strict=True))
        if (is_outcome(name) or is_outcome(header)) and cells[header].drop_nulls().n_unique() == 2
    ]
    if len(found) != 1:
        which = ", ".join(cells.columns[at] for at in found) or "none"
        raise UsageError(
            f"which column is the outcome? those that look like one: {which}", hint="add --target"
        )
    return found[0]


def _values(cells: pl.DataFrame, at: int, said: str | None) -> tuple[str, str]:
    column = cells[cells.columns[at]]
    values = column.drop_nulls().unique().sort().to_list()
    if len(values) != 2:
        raise UsageError(
            f"the outcome {column.name!r} has {len(values)} values, not two: {', '.join(values[:5])}",
            hint="name the column with --target",
        )
    bad = [value for value in values if value == said or (said is None and value.lower() in _BAD)]
    good = [value for value in values if value not in bad]
    if len(bad) != 1 or (said is None and good[0].lower() not in _GOOD):
        raise UsageError(
            f"which value of {column.name!r} is the bad one: {' or '.join(values)}?", hint="add --bad VALUE"
        )
    return bad[0], good[0]


def _observed(cells: pl.DataFrame, names: list[str], guesses: list[Guess]) -> int | None:
    days = [
        at
        for at, (header, guess) in enumerate(zip(cells.columns, guesses, strict=True))
        if guess.type == "date" and guess.pii == "none" and guess.required
        and (re.search(_OBSERVED, names[at]) or re.search(_OBSERVED, header.lower()))
    ]  # fmt: skip
    return days[0] if days else None


def _newest(cells: pl.DataFrame, at: int, guesses: list[Guess]) -> date:
    pattern = guesses[at].date_format or "%Y-%m-%d"
    day = cells.to_series(at).str.to_date(pattern).max()
    assert isinstance(day, date)
    return day


def _customer(
    cells: pl.DataFrame, names: list[str], guesses: list[Guess], observed: int | None, target: int
) -> int | None:
    """The first identifier that tells the rows of a day apart; none: the number of the line does."""
    for at, guess in enumerate(guesses):
        named = guess.type == "id" or hint_of_name(names[at]) == "id"
        if at in (observed, target) or not named or not guess.required or guess.pii != "none":
            continue
        keys = [cells.columns[each] for each in (at, observed) if each is not None]
        if cells.select(keys).n_unique() == len(cells):
            return at
    return None
