"""The one language of conditions and values that people write in YAML: SQL expressions over a row's columns.

sqlglot parses every text, each part of it must be of a kind that is listed here, and nothing else is made
into a query: no subquery, no table, no comment, no function beyond the list. So a file can neither misspell
a column in silence nor reach beyond the row it is about.

Contract checks run in Polars while loading and in PostgreSQL at the gate, warning and policy conditions in
PostgreSQL alone: all are written in the same words (:func:`compile_expression`, :func:`condition`). An
adapter's values may use what else Polars knows of one row (:func:`sql_expression`); Polars' own SQL would
read any file of the machine (``a in (select b from read_csv('...'))``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType

from creditops.errors import UsageError

#: What a condition may call, as it is written and as sqlglot knows it.
FUNCTIONS: Mapping[str, type[exp.Expr]] = {
    "abs": exp.Abs,
    "coalesce": exp.Coalesce,
    "extract": exp.Extract,
    "floor": exp.Floor,
    "greatest": exp.Greatest,
    "least": exp.Least,
    "length": exp.Length,
    "ln": exp.Ln,
    "lower": exp.Lower,
    "nullif": exp.Nullif,
    "round": exp.Round,
    "upper": exp.Upper,
}
_CONDITION = frozenset({
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.And, exp.Or, exp.Not,
    exp.Is, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between,
    exp.In, exp.Like, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Case, exp.If, exp.Interval, exp.Var,
    exp.Cast, exp.DataType,  # date '2026-06-30'
    *FUNCTIONS.values(),
})  # fmt: skip
# Of an adapter's values: any function of a row, of which Polars knows those that there are.
_VALUE = (
    exp.Condition,
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
_NO_VALUE = (exp.Query, exp.Table, exp.UDTF, exp.Placeholder, exp.Parameter, exp.SessionParameter)
_TEXT_OR_PARAMETER = re.compile(r"'(?:[^']|'')*'|\{(?P<name>[a-z_][a-z0-9_]*)\}|(?P<space>\s+)")

Number = int | float


@dataclass(frozen=True)
class Expression:
    """A checked expression.

    Attributes
    ----------
    sql: the expression with its parameters' values in place.
    columns: columns it reads, in order of appearance.
    """

    sql: str
    columns: tuple[str, ...]


def compile_expression(
    text: str, *, columns: Collection[str], parameters: Mapping[str, Number], where: str
) -> Expression:
    """Check a condition and put the parameters' values in.

    Parameters
    ----------
    columns: names the expression may read.
    parameters: values of the ``{name}`` placeholders.
    where: what the expression belongs to, for the error message.

    Raises
    ------
    UsageError: it is no expression, or uses an unknown column or parameter or what is not allowed.
    """

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return " " if match["space"] else match[0]
        if name not in parameters:
            raise UsageError(
                f"{where}: there is no parameter {name!r}",
                hint=f"declared are: {', '.join(sorted(parameters)) or 'none'}",
            )
        return number_literal(parameters[name])

    sql = _TEXT_OR_PARAMETER.sub(value, text).strip()
    try:
        read = _condition(sql)
    except ValueError as error:
        raise UsageError(
            f"{where}: {error}",
            hint="use columns, {parameters}, literals, comparison, arithmetic, and, or, not, case, and the"
            f" functions {', '.join(FUNCTIONS)}",
        ) from error
    for name in read:
        if name not in columns:
            raise UsageError(
                f"{where}: there is no column {name!r}", hint=f"columns: {', '.join(sorted(columns))}"
            )
    return Expression(sql, read)


def condition(text: str) -> str:
    """A contract's check as SQL for the warehouse; its columns are checked where the contract is read.

    Raises
    ------
    ValueError: it is no condition over the columns of a row.
    """
    sql = _TEXT_OR_PARAMETER.sub(lambda match: " " if match["space"] else match[0], text).strip()
    _condition(sql)
    return sql


@lru_cache(1024)
def sql_expression(text: str) -> pl.Expr:
    """The expression that ``text`` says, for Polars.

    Raises
    ------
    ValueError: it is no SQL, is a query or contains one, or uses what Polars does not know.
    """
    for part in _parsed(text, None).walk():
        if isinstance(part, _NO_VALUE) or not isinstance(part, _VALUE):
            raise ValueError(
                f"{text!r} is no expression over the columns of a row: {_kind(part)} is not allowed"
            )
    try:
        return pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise ValueError(str(error).splitlines()[0]) from error


def number_literal(value: Number) -> str:
    """A number as SQL; a negative one in brackets."""
    return f"({value!r})" if value < 0 else repr(value)


def text_literal(value: str) -> str:
    """A text as SQL."""
    return "'" + value.replace("'", "''") + "'"


@lru_cache(4096)
def _condition(sql: str) -> tuple[str, ...]:
    """Columns that a condition reads, in order of appearance."""
    names = set()
    for part in _parsed(sql, "postgres").walk():
        if type(part) not in _CONDITION:
            kind = f"function {_kind(part)!r}" if isinstance(part, exp.Func) else _kind(part)
            raise ValueError(f"{kind} is not allowed in {sql!r}")
        if isinstance(part, exp.Cast) and not part.is_type("date"):
            raise ValueError(f"a cast is not allowed in {sql!r}")
        if isinstance(part, exp.Identifier) and part.args.get("quoted"):
            raise ValueError(f"{part.name!r} in double quotes is not allowed in {sql!r}")
        if isinstance(part, exp.Column):
            names.add(".".join(each.name for each in part.parts))
    words = [token.text for token in _tokens(sql, "postgres") if token.token_type != TokenType.STRING]
    return tuple(dict.fromkeys([*(each for each in words if each in names), *sorted(names)]))


def _parsed(text: str, dialect: str | None) -> exp.Expr:
    try:
        found = sqlglot.parse(text, read=dialect)
        commented = any(token.comments for token in _tokens(text, dialect))
    except SqlglotError as error:
        problem = str(error).splitlines()[0].split(". Line")[0]
        raise ValueError(f"{text!r} is no SQL expression: {problem}") from error
    if len(found) != 1 or found[0] is None:
        raise ValueError(f"{text!r} is not one SQL expression")
    if commented:
        raise ValueError(f"{text!r} has a comment, which is not allowed")
    return found[0]


def _tokens(text: str, dialect: str | None) -> list[sqlglot.tokens.Token]:
    return sqlglot.tokenize(text, read=dialect)


def _kind(part: exp.Expr) -> str:
    if isinstance(part, exp.Anonymous):
        return str(part.name).lower()
    return str(part.sql_name()).lower() if isinstance(part, exp.Func) else type(part).__name__.lower()
