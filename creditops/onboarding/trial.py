"""Reads files by their contract, or by an adapter, and counts what would go to quarantine; loads nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from creditops import clock
from creditops.books import currency, today
from creditops.errors import UsageError
from creditops.ingest.check.validation import BadRow, ragged_row, validate
from creditops.personal_data import masked
from creditops.quality import watch
from creditops.reading.reader import LINE, open_source_file, read_batches
from creditops.settings import get_settings
from creditops.sources.contract import Contract
from creditops.warehouse.connection import connect

if TYPE_CHECKING:
    from creditops.adapters import Adapter


@dataclass
class Trial:
    """What loading a source's rows would come to.

    Attributes
    ----------
    reasons: by (column, reason): rows, first line and its example, most rows first.
    left_out: rows that an adapter leaves out, by the reason.
    columns_aside: columns that the contract does not know.
    unlikely: what differs from the deliveries before, in sentences (:mod:`creditops.quality.watch`).
    cells_masked: per column of free text, in how many cells personal data would be masked.
    sample: the first rows that would be loaded, personal data masked.
    """

    source: str
    file: str
    rows: int = 0
    bad: int = 0
    refused: bool = False
    reasons: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    columns_aside: list[str] = field(default_factory=list)
    unlikely: list[str] = field(default_factory=list)
    cells_masked: dict[str, int] = field(default_factory=dict)
    sample: list[dict[str, Any]] = field(default_factory=list)


def try_file(contract: Contract, path: Path, *, book: str | None = None) -> Trial:
    """Read a file by a contract, as if it were delivered today.

    Parameters
    ----------
    book: also compare the rows with what was loaded into it before.

    Raises
    ------
    UsageError: there is no such file.
    DataRefusedError: the file is refused whole.
    ServiceUnreachableError: a book is named and the warehouse does not answer.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist", hint="name the file to try")
    home = get_settings().timezone
    today = clock.today(home)
    file = open_source_file(path, contract, delivery=today)
    rows, bad, good = 0, [], []
    hidden: Counter[str] = Counter()
    for batch in read_batches(file):
        rows += len(batch)
        checked = validate(batch, contract, zone=home, delivery=today)
        bad += checked.bad
        hidden.update(checked.masked)
        good.append(checked.good)
    rows += len(file.ragged)
    bad += [ragged_row(line, fields, len(file.header)) for line, fields in file.ragged]
    trial = _trial(contract, path.name, rows, bad)
    trial.columns_aside = masked(file.extra_columns)
    trial.cells_masked = dict(hidden)
    if book is not None and good:
        trial.unlikely = _unlikely(contract, book, pl.concat(good), today)
    return trial


def _unlikely(contract: Contract, book: str, rows: pl.DataFrame, today: date) -> list[str]:
    with connect("builder") as connection:
        made = connection.execute("select to_regclass(%s) is not null", (f"raw.{contract.table}",)).fetchone()
        if made is None or not made[0]:
            return []
        return [each.sentence for each in watch.of_rows(connection, contract, book, rows, today)]


def try_adapter(adapter: Adapter, path: Path, *, limit: int | None = None, shown: int = 3) -> list[Trial]:
    """Read a file or folder by an adapter: one trial per output and file.

    Parameters
    ----------
    limit: only so many rows of each file.
    shown: rows of each in the sample.

    Raises
    ------
    As :meth:`creditops.adapters.Adapter.read`.
    """
    trials = []
    for made in adapter.read(path, line_column=LINE, limit=limit):
        contract = adapter.contracts[made.source]
        checked = validate(
            made.frame,
            contract,
            zone=get_settings().timezone,
            currency=currency(adapter.book),
            delivery=adapter.deliveries().get(made.source, today(adapter.book)),
        )
        trial = _trial(contract, made.origin.name, len(made.frame), checked.bad)
        trial.left_out = {why: rows for why, rows in made.left_out.items() if rows}
        trial.sample = _masked(made.frame.drop(LINE).head(shown), contract)
        trials.append(trial)
    return trials


def _trial(contract: Contract, file: str, rows: int, bad: Sequence[BadRow]) -> Trial:
    limit = contract.bad_row_limit if contract.bad_row_limit is not None else get_settings().bad_row_limit
    refused = bool(rows) and len(bad) > limit * rows
    return Trial(contract.source, file, rows, len(bad), refused, _tally(bad))


def _tally(bad: Iterable[BadRow]) -> list[dict[str, Any]]:
    counted: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], tuple[int, Any]] = {}
    for row in sorted(bad, key=lambda each: each.line):
        for reason in row.reasons:
            key = (reason["column"] or "", str(reason["reason"]))
            counted[key] += 1
            first.setdefault(key, (row.line, reason["value"]))
    return [
        {
            "column": key[0],
            "reason": key[1],
            "rows": count,
            "first_line": first[key][0],
            "example": first[key][1],
        }
        for key, count in counted.most_common()
    ]


def _masked(rows: pl.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    personal = [column.name for column in contract.columns if column.pii != "none"]
    without = rows.with_columns(
        pl.when(pl.col(name).is_not_null()).then(pl.lit("***")).alias(name) for name in personal
    )
    rows_shown = [
        {name: cell for name, cell in row.items() if cell is not None} for row in without.to_dicts()
    ]
    return masked(rows_shown)  # type: ignore[no-any-return]
