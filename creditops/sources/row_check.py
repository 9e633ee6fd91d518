"""Row checks of a contract: conditions over several columns of one row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from creditops.errors import UsageError
from creditops.sources.column import Column, ColumnType
from creditops.texts import Text


class Check(BaseModel):
    """A condition on one typed row, as an SQL expression over the contract's columns.

    Like an SQL check constraint it fails only where it is false, not where it is null.
    ``error`` quarantines the row; ``warning`` loads it and lists the breach.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    expression: str
    severity: Literal["error", "warning"] = "error"
    message: Text


def try_checks(path: Path, checks: Sequence[Check], columns: Sequence[Column]) -> None:
    """Try what Polars will run: row checks must be SQL conditions over the columns, and patterns
    regular expressions of its dialect (no look-around, no back-references).

    Raises
    ------
    UsageError: an expression cannot be parsed, names an unknown column or is no condition; a
        pattern is of another dialect.
    """
    import polars as pl  # here, because most callers only need names and types

    from creditops.expressions import condition, sql_expression

    types: dict[ColumnType, pl.DataType] = {
        "money": pl.Float64(),
        "rate": pl.Float64(),
        "date": pl.Date(),
        "ts": pl.Date(),
        "bool": pl.Boolean(),
        "int": pl.Int64(),
        "bigint": pl.Int64(),
    }
    empty = pl.DataFrame(schema={column.name: types.get(column.type, pl.String()) for column in columns})
    for column in columns:
        try:
            pl.Series([""]).str.contains(column.pattern or "")
        except pl.exceptions.PolarsError as error:
            raise UsageError(
                f"{path}: columns[{column.name}].pattern: not a pattern of this dialect",
                hint="write it without look-around and back-references",
            ) from error
    for check in checks:
        where = f"{path}: checks[{check.name}].expression"
        try:
            condition(check.expression)
            result = empty.select(sql_expression(check.expression).alias("holds"))
        except (pl.exceptions.PolarsError, ValueError) as error:
            problem = str(error).splitlines()[0]
            raise UsageError(
                f"{where}: {problem}",
                hint="write a condition over " + ", ".join(column.name for column in columns),
            ) from error
        if result.schema["holds"] != pl.Boolean:
            raise UsageError(f"{where}: gives no true or false", hint="write a comparison")
