"""SQL expressions in YAML: conditions and values that people write, checked before anything runs them.

One expression over the columns of one row (with window functions: of one table), never a query: Polars'
SQL would read any file of the machine (``a in (select b from read_csv('...'))``). sqlglot parses it, every
part must be of a kind that is listed here, and Polars evaluates it.
"""

from __future__ import annotations

from functools import lru_cache

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_PARTS = (
    exp.Condition,  # columns, literals, operators, functions, CASE, CAST, IN, BETWEEN, LIKE, ...
    exp.Identifier,
    exp.DataType,
    exp.DataTypeParam,
    exp.Interval,
    exp.Var,
    exp.Tuple,
    exp.If,
    exp.WindowSpec,
    exp.Order,
    exp.Ordered,
    exp.Distinct,
    exp.Star,
)
_REFUSED = (exp.Query, exp.Table, exp.UDTF, exp.Placeholder, exp.Parameter, exp.SessionParameter)


@lru_cache(1024)
def sql_expression(text: str) -> pl.Expr:
    """The expression that ``text`` says.

    Raises
    ------
    ValueError: it is no SQL, is a query or contains one, or uses what Polars does not know.
    """
    _check(text)
    try:
        return pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise ValueError(str(error).splitlines()[0]) from error


def _check(text: str) -> None:
    try:
        found = sqlglot.parse(text)
    except SqlglotError as error:
        problem = str(error).splitlines()[0].split(". Line")[0]
        raise ValueError(f"{text!r} is no SQL expression: {problem}") from error
    if len(found) != 1 or found[0] is None:
        raise ValueError(f"{text!r} is not one SQL expression")
    for part in found[0].walk():
        if isinstance(part, _REFUSED) or not isinstance(part, _PARTS):
            kind = type(part).__name__.lower()
            raise ValueError(f"{text!r} is no expression over the columns of a row: {kind} is not allowed")
