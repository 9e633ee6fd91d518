"""Drafts contract, adapter and scorecard from one flat file: a row per customer, variables, an outcome.

As :mod:`creditops.onboarding.draft`: guesses from a sample with comments for a person, and what is drafted
loads the file it was drafted from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from creditops.errors import UsageError
from creditops.onboarding.draft import column_lines, quoted
from creditops.onboarding.flat_file import FlatFile, read_flat, special_values
from creditops.settings import get_settings
from creditops.sources.contract import load_book_contracts, user_folders
from creditops.sources.terms import DRAFT_EN, DRAFT_ZH, is_protected


@dataclass(frozen=True)
class FlatDraft:
    """Texts by the file they go to, what to look at as (place, note), and the days of the delivery."""

    book: str
    files: dict[Path, str]
    notes: list[tuple[str, str]]
    observed_on: date
    outcome_on: date


def draft_flat(
    path: Path,
    *,
    book: str | None = None,
    target: str | None = None,
    bad: str | None = None,
    observed_on: date | None = None,
    outcome_on: date | None = None,
    today: date,
) -> FlatDraft:
    """Draft what a flat file needs to be scored.

    Parameters
    ----------
    book: its name, default from the file's.
    target, bad: column of the outcome and its bad value, where the file does not make them plain.
    observed_on: the day the variables hold for, where no column says it.
    outcome_on: the day the outcomes were known; default twelve months later, at most ``today``.

    Raises
    ------
    UsageError: no such file, outcome or observation day cannot be told, or the book is declared already.
    DataRefusedError: the file cannot be read.
    """
    flat = read_flat(
        path, book=book, target=target, bad=bad, observed_on=observed_on, outcome_on=outcome_on, today=today
    )
    name = flat.book
    if name in {contract.book for contract in load_book_contracts()}:
        raise UsageError(
            f"the book {name} declares characteristics already", hint="choose another with --book"
        )
    home = get_settings().home
    files = {
        user_folders()[0] / "books" / name / "characteristics.yml": _contract(flat),
        home / "adapters" / name / "adapter.yml": _adapter(flat),
        home / "scorecards" / f"{name}.yml": _scorecard(flat),
    }
    return FlatDraft(name, files, _notes(flat), flat.observed_on, flat.outcome_on)


def _contract(flat: FlatFile) -> str:
    lines = [
        "# Draft from a sample. Look at every comment and complete the descriptions; direction says how the",
        "# default rate moves as the value rises: ascending, descending or none.",
        "extends: characteristics",
        "version: 1",
        "description:",
        f"  en: {quoted(f'{DRAFT_EN}s of files like {flat.path.name}.')}",
        f"  zh: {quoted(f'{DRAFT_ZH} {flat.path.name} 各列。')}",
        "grain: one row per customer and observation day",
        "columns:",
    ]
    for at in flat.variables:
        header, guess = flat.cells.columns[at], flat.guesses[at]
        found = column_lines(header, flat.names[at], guess, required=False, references=[])
        # The adapter reads the file; the contract sees the canonical form.
        left = ("    header:", "    date_format:", "    past:", "    percent:", "    null_values:")
        lines += [line for line in found if not line.startswith(left)]
        if guess.type in ("int", "bigint", "rate", "money") and (special := _specials(flat, at)):
            lines.append("    special_values:  # states, not quantities? each gets a bin of its own")
            lines += [
                f'      "{value}": {{ en: "Draft: state {value}", zh: "草稿：特殊值 {value}" }}'
                for value in special
            ]
        lines.append("    direction: none")
        if is_protected(flat.names[at], header):
            lines.append("    protected: true  # never a characteristic; fairness is measured by it")
    return "\n".join(lines) + "\n"


def _specials(flat: FlatFile, at: int) -> list[int]:
    guess = flat.guesses[at]
    plain = guess.thousands is None and guess.decimal == "." and not guess.percent
    return special_values(flat.cells.to_series(at)) if plain else []


def _adapter(flat: FlatFile) -> str:
    used = sorted(
        {*flat.variables, flat.target, *(at for at in (flat.customer, flat.observed) if at is not None)}
    )
    headed = flat.form.get("header") is not False
    columns = [flat.cells.columns[at] for at in (used if headed else range(flat.cells.width))]
    pattern = re.sub(r"\d+", "*", flat.path.name)
    customer = (
        f"{{ column: {quoted(flat.cells.columns[flat.customer])} }}"
        if flat.customer is not None
        else "{ expression: \"'R' || _line\" }  # no column tells the rows apart: the line does"
    )
    observed = (
        _value(flat, flat.observed)
        if flat.observed is not None
        else f"{{ constant: {quoted(str(flat.observed_on))} }}"
    )
    form = [
        f"    separator: {quoted(flat.form['delimiter'])}" if "delimiter" in flat.form else "",
        f"    encoding: {flat.encoding}" if flat.encoding != "utf-8" else "",
        f"    skip_lines: {flat.form['skip_lines']}" if "skip_lines" in flat.form else "",
        "" if headed else "    header: false",
        f"    null_values: {quoted(list(flat.words))}" if flat.words else "",
    ]
    keys = [f"      customer_id: {customer}", f"      observed_on: {observed}"]
    outcome, target = {flat.bad: "true", flat.good: "false"}, quoted(flat.cells.columns[flat.target])
    return "\n".join(
        [
            "# Draft from a sample: the days below say what was known when.",
            f"adapter: {flat.book}",
            "version: 1",
            f"book: {flat.book}",
            "description:",
            f"  en: {quoted(f'Files like {flat.path.name}: variables and outcomes of customers.')}",
            f"  zh: {quoted(f'与 {flat.path.name} 同样的文件：客户变量与结果。')}",
            "delivery:",
            f"  day: {quoted(str(flat.observed_on))}",
            "  history: true",
            "  sources:",
            "    # The day on which the outcomes were known.",
            f"    outcomes: {{ day: {quoted(str(flat.outcome_on))}, history: false }}",
            "inputs:",
            "  flat:",
            f"    files: [{quoted(pattern)}]",
            *filter(None, form),
            f"    columns: {quoted(columns)}",
            "outputs:",
            "  - source: customers",
            "    from: flat",
            "    distinct: true",
            "    columns:",
            f"      customer_id: {customer}",
            "      customer_type: { constant: retail }  # or corporate",
            f"      effective_date: {observed}",
            "  - source: characteristics",
            "    from: flat",
            "    columns:",
            *keys,
            *(f"      {flat.names[at]}: {_value(flat, at)}" for at in flat.variables),
            "  - source: outcomes",
            "    from: flat",
            f"    where: {quoted(f'{_sql_name(flat.cells.columns[flat.target])} is not null')}",
            "    columns:",
            *keys,
            f"      default: {{ column: {target}, values: {quoted(outcome)} }}",
            "",
        ]
    )


def _value(flat: FlatFile, at: int) -> str:
    """How the adapter finds a column: as it is, or brought to plain numbers by an expression."""
    header, guess = flat.cells.columns[at], flat.guesses[at]
    text = name = _sql_name(header)
    if guess.null_values:
        words = ", ".join("'" + word.replace("'", "''") + "'" for word in guess.null_values)
        text = f"case when {text} in ({words}) then null else {text} end"
    if guess.thousands:
        text = f"replace({text}, '{guess.thousands}', '')"
    if guess.decimal == ",":
        text = f"replace({text}, ',', '.')"
    if guess.percent:
        text = f"try_cast(replace({text}, '%', '') as double) / 100"
    found = f"column: {quoted(header)}" if text == name else f"expression: {quoted(text)}"
    if guess.date_format:
        found += f", date_format: {quoted(guess.date_format)}"
    return f"{{ {found} }}"


def _sql_name(header: str) -> str:
    return '"' + header.replace('"', '""') + '"'


def _scorecard(flat: FlatFile) -> str:
    protected = _names(flat, protected=True)
    months = (
        12 * (flat.outcome_on.year - flat.observed_on.year) + flat.outcome_on.month - flat.observed_on.month
    )
    return "\n".join(
        [
            f"# Draft: scores the book {flat.book} by the variables that it delivers.",
            f"name: {flat.book}",
            f"books: [{flat.book}]",
            f"title: {{ en: {quoted(f'Scorecard of {flat.book}')}, zh: {quoted(f'{flat.book} 评分卡')} }}",
            "algorithm: woe_logistic  # or boosted_additive: more rank order from the same form of table",
            "population: { exclusions: [], never_scored: [] }",
            f"observation: {{ every_months: 1, window_months: {max(1, months)}, label_source: outcomes }}",
            "split: { hold_out: 0.3, stratified: true, out_of_time_dates: 0 }",
            "# What you would not go below.",
            "gates: { min_auc_hold_out: 0.60, max_gini_drop: 0.15, max_psi: 0.25 }",
            f"protected: {quoted(protected)}",
            "sources:",
            f"  - table: features.feat_characteristics_{flat.book}",
            "    features: all",
            "",
        ]
    )


def _names(flat: FlatFile, *, protected: bool) -> list[str]:
    return [
        flat.names[at] for at in flat.variables
        if is_protected(flat.names[at], flat.cells.columns[at]) is protected
    ]  # fmt: skip


def _notes(flat: FlatFile) -> list[tuple[str, str]]:
    aside = [
        flat.names[at] for at, guess in enumerate(flat.guesses) if guess.pii != "none" and at != flat.customer
    ]
    notes = [
        ("outcome", f"{flat.cells.columns[flat.target]}: {flat.bad} is bad, {flat.good} is good"),
        ("days", f"observed on {flat.observed_on}, outcomes known on {flat.outcome_on}"),
    ]
    if flat.customer is None:
        notes.append(("customer_id", "no column tells the rows apart: the number of the line stands in"))
    if aside:
        notes.append(("left aside", f"personal data: {', '.join(aside)}"))
    if protected := _names(flat, protected=True):
        notes.append(
            ("protected", f"{', '.join(protected)}: never characteristics, unless somebody approves it")
        )
    for at in flat.variables:
        notes += [(flat.names[at], note) for note in flat.guesses[at].notes]
        if special := _specials(flat, at):
            notes.append(
                (flat.names[at], f"special values {', '.join(map(str, special))}: say what each means")
            )
    return notes
