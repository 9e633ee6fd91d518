"""Types a batch of text cells by its contract, and says of every bad row what is wrong with it.

A cell is brought to one canonical text (money with two decimals, booleans ``t`` or ``f``), so that
equal facts have equal text and PostgreSQL reads exactly what was checked.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from creditops.ingest.privacy import hash_series
from creditops.ingest.reader import LINE
from creditops.sources.column import Column
from creditops.sources.contract import Contract

_MONEY = r"^[+-]?\d{1,16}(\.\d{1,2}0*)?$"
_INTEGER = r"^[+-]?\d{1,18}$"
_DATE = r"^\d{4}-\d{2}-\d{2}$"
_TIMESTAMP = (
    r"^\d{4}-\d{2}-\d{2}([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
)
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_TRUE = ("true", "t", "1", "yes", "y")
_FALSE = ("false", "f", "0", "no", "n")
_NEEDS = {
    "money": "an amount with at most two decimals and a point, e.g. 1234.50",
    "rate": "a decimal number, e.g. 0.045",
    "date": "a date as YYYY-MM-DD",
    "ts": "a time as YYYY-MM-DD HH:MM:SS, with or without an offset",
    "bool": "true or false",
    "int": "a whole number",
    "bigint": "a whole number",
}


@dataclass
class Validated:
    """A batch after validation.

    Attributes
    ----------
    good: canonical text per raw column, plus the line; rows that may be loaded.
    bad: line, masked row text and reasons (list of dicts) of every row that may not.
    """

    good: pl.DataFrame
    bad: list[BadRow]


@dataclass(frozen=True)
class BadRow:
    """A row for the quarantine: its line, its cells (personal data hashed), what is wrong."""

    line: int
    row_text: str
    reasons: list[dict[str, str | None]]


def validate(batch: pl.DataFrame, contract: Contract) -> Validated:
    """Check a batch of text cells (one column per contract column, plus the line)."""
    typed = batch.lazy().with_columns(
        _typed(column).alias(f"_t_{column.name}") for column in contract.columns
    )
    faults: list[tuple[str, Column | None, str]] = []
    expressions: list[pl.Expr] = []
    for column in contract.columns:
        for kind, expression in _faults(column):
            name = f"_f_{len(faults)}"
            faults.append((name, column, kind))
            expressions.append(expression.fill_null(False).alias(name))
    frame = typed.with_columns(expressions).collect()
    frame = _row_checks(frame, contract, faults)
    is_bad = pl.any_horizontal([name for name, _, _ in faults])
    bad = frame.filter(is_bad)
    good = frame.filter(~is_bad)
    return Validated(_canonical(good, contract), _describe(bad, contract, faults))


def ragged_row(line: int, fields: int, expected: int) -> BadRow:
    """A line with another number of fields than the header: no cell can be told from its neighbour.

    Its text stays in the landing zone, because personal data could stand in any of its fields.
    """
    reason = f"the line has {fields} fields, the header has {expected}"
    return BadRow(line, "", [{"column": None, "value": None, "reason": reason}])


def _typed(column: Column) -> pl.Expr:
    cell = pl.col(column.name)
    match column.type:
        case "money":
            return pl.when(cell.str.contains(_MONEY)).then(cell).cast(pl.Decimal(18, 2), strict=False)
        case "rate":
            return cell.cast(pl.Float64, strict=False)
        case "int" | "bigint":
            return pl.when(cell.str.contains(_INTEGER)).then(cell).cast(pl.Int64, strict=False)
        case "date":
            return pl.when(cell.str.contains(_DATE)).then(cell).str.to_date("%Y-%m-%d", strict=False)
        case "ts":
            return (
                pl.when(cell.str.contains(_TIMESTAMP))
                .then(cell.str.head(10))
                .str.to_date("%Y-%m-%d", strict=False)
            )
        case "bool":
            lower = cell.str.to_lowercase()
            return pl.when(lower.is_in(_TRUE)).then(True).when(lower.is_in(_FALSE)).then(False)
        case _:
            return cell


def _faults(column: Column) -> list[tuple[str, pl.Expr]]:
    cell, typed = pl.col(column.name), pl.col(f"_t_{column.name}")
    found: list[tuple[str, pl.Expr]] = []
    if column.required:
        found.append(("is empty", cell.is_null()))
    if column.type in _NEEDS:
        found.append((f"is not {_NEEDS[column.type]}", cell.is_not_null() & typed.is_null()))
    else:
        found.append(("holds a control character", cell.str.contains(_CONTROL)))
    if column.type == "rate":
        found.append(("is not a finite number", typed.is_not_null() & ~typed.is_finite()))
    if column.values is not None:
        allowed = ", ".join(column.values)
        found.append((f"is not one of {allowed}", ~cell.is_in(list(column.values))))
    if column.pattern is not None:
        found.append((f"does not match {column.pattern}", ~cell.str.contains(f"^(?:{column.pattern})$")))
    if column.max_length is not None:
        found.append(
            (f"is longer than {column.max_length} characters", cell.str.len_chars() > column.max_length)
        )
    if column.min is not None:
        found.append((f"is below {column.min}", typed < _bound(column, column.min)))
    if column.max is not None:
        found.append((f"is above {column.max}", typed > _bound(column, column.max)))
    return found


def _bound(column: Column, bound: float | str) -> pl.Expr:
    if column.type in ("date", "ts"):
        return pl.lit(str(bound)).str.to_date("%Y-%m-%d")
    if column.type == "money":
        return pl.lit(str(bound)).cast(pl.Decimal(38, 2))
    return pl.lit(bound)


def _row_checks(
    frame: pl.DataFrame, contract: Contract, faults: list[tuple[str, Column | None, str]]
) -> pl.DataFrame:
    checks = [check for check in contract.checks if check.severity == "error"]
    if not checks:
        return frame
    view = frame.select(
        (
            pl.col(f"_t_{column.name}").cast(pl.Float64)
            if column.type == "money"
            else pl.col(f"_t_{column.name}")
        ).alias(column.name)
        for column in contract.columns
    )
    failed = view.select(
        (~pl.sql_expr(check.expression)).fill_null(False).alias(f"_f_check_{check.name}") for check in checks
    )
    for check in checks:
        faults.append((f"_f_check_{check.name}", None, check.message.en))
    return frame.hstack(failed)


def _canonical(good: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    expressions: list[pl.Expr | pl.Series] = [pl.col(LINE)]
    for column in contract.columns:
        typed = pl.col(f"_t_{column.name}")
        if column.pii == "birth_date":
            expressions.append(typed.dt.year().cast(pl.String).alias(column.raw_name))
        elif column.is_hashed:
            expressions.append(hash_series(good[column.name], column.pii).alias(column.name))
        elif column.type in ("money", "int", "bigint", "date", "rate"):
            expressions.append(typed.cast(pl.String).alias(column.name))
        elif column.type == "bool":
            expressions.append(
                pl.when(typed).then(pl.lit("t")).when(~typed).then(pl.lit("f")).alias(column.name)
            )
        else:
            expressions.append(pl.col(column.name))
    return good.select(expressions)


def _describe(
    bad: pl.DataFrame, contract: Contract, faults: list[tuple[str, Column | None, str]]
) -> list[BadRow]:
    if bad.is_empty():
        return []
    masked = mask(bad, contract)
    rows: list[BadRow] = []
    for record, shown in zip(bad.iter_rows(named=True), masked, strict=True):
        reasons: list[dict[str, str | None]] = []
        for name, column, kind in faults:
            if record[name]:
                where = column.name if column else None
                reasons.append(
                    {"column": where, "value": shown.get(where) if where else None, "reason": kind}
                )
        rows.append(BadRow(record[LINE], row_text(shown), reasons))
    return rows


def mask(frame: pl.DataFrame, contract: Contract) -> list[dict[str, str | None]]:
    """The contract's cells of each row, personal data replaced by their keyed hash."""
    hashed = frame.select(
        hash_series(frame[column.name], column.pii).alias(column.name)
        if column.pii != "none"
        else pl.col(column.name)
        for column in contract.columns
    )
    return list(hashed.iter_rows(named=True))


def row_text(cells: dict[str, str | None]) -> str:
    """Cells as one CSV line, the form a quarantined row is kept in."""
    frame = pl.DataFrame([cells], schema=dict.fromkeys(cells, pl.String))
    return frame.write_csv(include_header=False).rstrip("\n")
