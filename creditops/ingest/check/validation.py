"""Checks a batch of text cells by its contract, and says of every bad row what is wrong with it.

The good rows come out as typed values (:mod:`creditops.reading.typed_cells`), personal data hashed, so
that equal facts are equal values however they were written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from creditops.books import parse_day
from creditops.expressions import sql_expression
from creditops.ingest.check.masking import masked_cells
from creditops.ingest.check.privacy import hash_series
from creditops.personal_data import NAMES, Kind
from creditops.reading.canonical_cells import FAULT
from creditops.reading.detection import kinds_in, masked_column
from creditops.reading.reader import LINE
from creditops.reading.typed_cells import NEEDS, comparable, needs, typed
from creditops.sources.column import Column
from creditops.sources.contract import Contract
from creditops.zone_rules import day_end

# In an identifier: invisible characters, other spaces and digits than ASCII's, full-width letters.
_LOOKALIKE = r"[\p{Cf}\p{Zl}\p{Zp}[\p{Zs}--\x20][\p{Nd}--[0-9]]\u{FF21}-\u{FF3A}\u{FF41}-\u{FF5A}]"
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
MAX_CELL = 65_536
"""Characters of a text whose contract names no ``max_length``."""
MAX_KEY_CELL = 200
"""The same for a column of the key, which PostgreSQL has to index."""
LOOKS_LIKE = "looks like {}, and the column is not declared personal"
"""Reason of a cell in which undeclared personal data were found."""
CURRENCY = "currency"
"""The column that says in which currency a row's amounts are, in every source that has one."""


@dataclass(frozen=True)
class BadRow:
    """A row for the quarantine: its line, its cells (personal data hashed), what is wrong."""

    line: int
    row_text: str
    reasons: list[dict[str, str | None]]


@dataclass
class Breaches:
    """Rows that break a check of severity ``warning``: they are loaded and listed."""

    rows: int = 0
    first_line: int = 0

    def add(self, lines: pl.Series) -> None:
        if len(lines):
            self.first_line = self.first_line or int(lines[0])
            self.rows += len(lines)


@dataclass
class Validated:
    """A batch after validation.

    Attributes
    ----------
    good: typed values per raw column, plus the line; rows that may be loaded.
    bad: line, masked row text and reasons (list of dicts) of every row that may not.
    unreadable: per column, how many filled cells are not of its type.
    filled: per column, how many cells are filled.
    personal: per column, how many cells hold undeclared personal data that its contract does not allow.
    masked: per column of free text, in how many cells they were masked.
    breaches: lines of good rows that break a check of severity ``warning``, by its name.
    keys_of_bad: business keys, as raw would hold them, of the bad rows that tell theirs.
    """

    good: pl.DataFrame
    bad: list[BadRow]
    keys_of_bad: pl.DataFrame
    unreadable: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    personal: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    breaches: dict[str, pl.Series] = field(default_factory=dict)


@dataclass(frozen=True)
class _Fault:
    """A boolean column of the batch that is true where the rule ``reason`` is broken."""

    flag: str
    column: Column | None
    reason: str
    of_type: bool = False


def validate(
    batch: pl.DataFrame,
    contract: Contract,
    *,
    zone: str = "UTC",
    currency: str | None = None,
    delivery: date | None = None,
) -> Validated:
    """Check a batch of text cells (one column per contract column, plus the line).

    Parameters
    ----------
    zone: the book's time zone, in which times without an offset are meant.
    currency: the book's currency, which a column ``currency`` must say; ``None`` while no book is meant.
    delivery: the day of the delivery, after which nothing in it has happened.
    """
    batch, masked = _free_text_masked(batch, contract)
    frame = batch.with_columns(typed(column, zone).alias(f"_t_{column.name}") for column in contract.columns)
    faults: list[_Fault] = []
    expressions: list[pl.Expr] = []
    for column in contract.columns:
        for reason, expression, of_type in _rules(column, contract, zone, currency, delivery):
            faults.append(_Fault(f"_f_{len(faults)}", column, reason, of_type))
            expressions.append(expression.fill_null(False).alias(faults[-1].flag))
    personal: Counter[str] = Counter()
    for column, kind, holding in _undeclared(batch, contract):
        faults.append(_Fault(f"_f_{len(faults)}", column, LOOKS_LIKE.format(kind)))
        expressions.append(pl.lit(holding).alias(faults[-1].flag))
        personal[column.name] += int(holding.sum())
    frame = frame.with_columns(expressions)
    frame, broken = _row_checks(frame, contract, faults, zone)
    is_bad = frame.select(pl.any_horizontal([fault.flag for fault in faults])).to_series()
    if is_bad.any():
        good, bad = frame.filter(~is_bad), frame.filter(is_bad)
    else:
        good, bad = frame, frame.clear()
    result = Validated(
        _raw_values(good, contract),
        _describe(bad, contract, faults),
        _readable_keys(bad, contract, faults),
        personal=personal,
        masked=masked,
        breaches={name: good.filter(pl.col(flag))[LINE] for name, flag in broken.items()},
    )
    for column in contract.columns:
        result.filled[column.name] = len(batch) - batch[column.name].null_count()
    for fault in faults:
        if fault.of_type and fault.column is not None and not bad.is_empty():
            result.unreadable[fault.column.name] += int(bad[fault.flag].sum())
    return result


def ragged_row(line: int, fields: int, expected: int) -> BadRow:
    """A line with another number of fields than the header: no cell can be told from its neighbour.

    Its text stays in the landing zone, because personal data could stand in any of its fields.
    """
    reason = f"the line has {fields} fields, the header has {expected}"
    return BadRow(line, "", [{"column": None, "value": None, "reason": reason}])


def _rules(
    column: Column, contract: Contract, zone: str, currency: str | None, delivery: date | None
) -> list[tuple[str, pl.Expr, bool]]:
    """What a cell of ``column`` may not be: reason, condition, and whether it is about the type."""
    cell, value = pl.col(column.name), pl.col(f"_t_{column.name}")
    rules: list[tuple[str, pl.Expr, bool]] = []
    if column.required:
        rules.append(("is empty", cell.is_null(), False))
    if column.type in NEEDS:
        rules.append((f"is not {needs(column, contract.format)}", cell.is_not_null() & value.is_null(), True))
    else:
        no_value = cell.str.starts_with(FAULT)
        rules.append(("is an error of the sheet, or a formula without a stored value", no_value, False))
        rules.append(("holds a control character", cell.str.contains(_CONTROL) & ~no_value, False))
        if not column.is_hashed and (column.type != "text" or column.name in contract.key):
            reason = (
                "holds invisible, full-width or other characters that look like usual ones; see `normalise`"
            )
            rules.append((reason, cell.map_batches(_looks_alike, return_dtype=pl.Boolean), False))
        longest = column.max_length or (MAX_KEY_CELL if column.name in contract.key else MAX_CELL)
        rules.append((f"is longer than {longest} characters", cell.str.len_chars() > longest, False))
    if column.type == "rate":
        rules.append(("is not a finite number", value.is_not_null() & ~value.is_finite(), True))
    if column.values is not None:
        allowed = ", ".join(column.values)
        rules.append((f"is not one of {allowed}", ~cell.is_in(list(column.values)), False))
    if column.pattern is not None:
        matches = cell.str.contains(f"^(?:{column.pattern})$")
        rules.append((f"does not match {column.pattern}", ~matches, False))
    if column.name == CURRENCY and currency is not None:
        remedy = "another one is set by CREDITOPS_BOOK_CURRENCIES"
        rules.append((f"is not the book's currency, {currency}; {remedy}", cell != currency, False))
    if column.is_past and delivery is not None:
        reason = f"lies after the delivery of {delivery}: deliver it on its day or later, or replay it then"
        rules.append((reason, value > _bound(column, delivery.isoformat(), zone, at_end=True), False))
    if column.min is not None:
        rules.append((f"is below {column.min}", value < _bound(column, column.min, zone), False))
    if column.max is not None:
        rules.append((f"is above {column.max}", value > _bound(column, column.max, zone, at_end=True), False))
    return rules


def _free_text_masked(batch: pl.DataFrame, contract: Contract) -> tuple[pl.DataFrame, Counter[str]]:
    """The batch with personal data masked where the contract says so, and in how many cells per column."""
    changed: list[pl.Series] = []
    counts: Counter[str] = Counter()
    for column in contract.columns:
        if contract.detection(column) == "mask":
            cells, count = masked_column(batch[column.name])
            if count:
                changed.append(cells)
                counts[column.name] = count
    return batch.with_columns(changed), counts


def _undeclared(batch: pl.DataFrame, contract: Contract) -> Iterator[tuple[Column, str, pl.Series]]:
    """Columns whose cells hold personal data that send a row to quarantine: what it is, and where."""
    for column in contract.columns:
        if contract.detection(column) == "quarantine":
            # A long whole number is a datum only where a check character and a birthday say so.
            kinds: tuple[Kind, ...] = ("national_id",) if column.type == "bigint" else tuple(NAMES)
            identifier = not contract.is_free_text(column)
            for kind, holding in kinds_in(batch[column.name], identifier=identifier, kinds=kinds).items():
                yield column, NAMES[kind], holding


def _looks_alike(cells: pl.Series) -> pl.Series:
    """Whether cells hold what looks like another character; where all are ASCII, that is seen fast."""
    if cells.str.len_bytes().sum() == cells.str.len_chars().sum():
        return pl.Series(cells.name, [False]).new_from_index(0, len(cells))
    return cells.str.contains(_LOOKALIKE)


def _bound(column: Column, bound: float | str, zone: str, *, at_end: bool = False) -> pl.Expr:
    """The bound as a typed value; of a time the first or the last microsecond of a day."""
    if column.type == "date":
        return pl.lit(parse_day(str(bound)))
    if column.type == "ts":
        day = parse_day(str(bound))
        at = (
            day_end(zone, day)
            if at_end
            else day_end(zone, day - timedelta(days=1)) + timedelta(microseconds=1)
        )
        return pl.lit(at).cast(pl.Datetime("us", "UTC"))
    if column.type == "money":
        return pl.lit(str(bound)).cast(pl.Decimal(38, 2)).to_physical().cast(pl.Int64)
    return pl.lit(bound)


def _row_checks(
    frame: pl.DataFrame, contract: Contract, faults: list[_Fault], zone: str
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Add a flag per row check; those of severity ``error`` become faults, the others are returned."""
    if not contract.checks:
        return frame, {}
    view = frame.lazy().select(
        comparable(column, pl.col(f"_t_{column.name}"), zone).alias(column.name)
        for column in contract.columns
    )
    failed = view.select(
        (~sql_expression(check.expression)).fill_null(False).alias(f"_f_check_{check.name}")
        for check in contract.checks
    ).collect()  # works out only what the checks name
    warnings: dict[str, str] = {}
    for check in contract.checks:
        if check.severity == "error":
            faults.append(_Fault(f"_f_check_{check.name}", None, check.message.en))
        else:
            warnings[check.name] = f"_f_check_{check.name}"
    return frame.hstack(failed), warnings


def _raw_values(good: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    values: list[pl.Expr | pl.Series] = [pl.col(LINE)]
    for column in contract.columns:
        if column.pii == "birth_date":
            values.append(pl.col(f"_t_{column.name}").dt.year().cast(pl.Int64).alias(column.raw_name))
        elif column.is_hashed:
            values.append(hash_series(good[column.name], column.pii).alias(column.name))
        else:
            values.append(pl.col(f"_t_{column.name}").alias(column.name))
    return good.select(values)


def _readable_keys(bad: pl.DataFrame, contract: Contract, faults: list[_Fault]) -> pl.DataFrame:
    about_key = [fault.flag for fault in faults if fault.column and fault.column.name in contract.key]
    readable = bad.filter(~pl.any_horizontal(about_key))
    return _raw_values(readable, contract).select(contract.key)


def _describe(bad: pl.DataFrame, contract: Contract, faults: list[_Fault]) -> list[BadRow]:
    if bad.is_empty():
        return []
    broken = [
        [fault for fault in faults if record[fault.flag]]
        for record in bad.select(fault.flag for fault in faults).iter_rows(named=True)
    ]
    at_fault = [{fault.column.name for fault in row if fault.column} for row in broken]
    rows: list[BadRow] = []
    for line, row, cells in zip(bad[LINE], broken, masked_cells(bad, contract, at_fault), strict=True):
        reasons: list[dict[str, str | None]] = [
            {
                "column": fault.column.name if fault.column else None,
                "value": cells[fault.column.name] if fault.column else None,
                "reason": fault.reason,
            }
            for fault in row
        ]
        rows.append(BadRow(line, row_text(cells), reasons))
    return rows


def row_text(cells: dict[str, str | None]) -> str:
    """Cells as one CSV line, the form a quarantined row is kept in."""
    frame = pl.DataFrame([cells], schema=dict.fromkeys(cells, pl.String))
    return frame.write_csv(include_header=False).rstrip("\n")
