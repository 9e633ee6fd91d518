"""Reads files by their contract, or by an adapter, and counts what would go to quarantine; loads nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from creditops.errors import UsageError
from creditops.ingest.reader import LINE, open_source_file, read_batches
from creditops.ingest.validation import BadRow, ragged_row, validate
from creditops.settings import get_settings
from creditops.sources.contract import Contract

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
    sample: list[dict[str, Any]] = field(default_factory=list)


def try_file(contract: Contract, path: Path) -> Trial:
    """Read a file by a contract, as if it were delivered today.

    Raises
    ------
    UsageError: there is no such file.
    DataRefusedError: the file is refused whole.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist", hint="name the file to try")
    home = get_settings().timezone
    today = datetime.now(ZoneInfo(home)).date()
    file = open_source_file(path, contract, delivery=today)
    rows, bad = 0, []
    for batch in read_batches(file):
        rows += len(batch)
        bad += validate(batch, contract, zone=home, delivery=today).bad
    rows += len(file.ragged)
    bad += [ragged_row(line, fields, len(file.header)) for line, fields in file.ragged]
    trial = _trial(contract, path.name, rows, bad)
    trial.columns_aside = file.extra_columns
    return trial


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
        checked = validate(made.frame, contract, zone=get_settings().timezone)
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
    masked = rows.with_columns(
        pl.when(pl.col(name).is_not_null()).then(pl.lit("***")).alias(name) for name in personal
    )
    return [{name: cell for name, cell in row.items() if cell is not None} for row in masked.to_dicts()]
