"""The SQL that a rule may use: expressions over a subject's columns and the rule's parameters.

An expression is read token by token. Whatever is not a column, a parameter, a literal, an operator
or one of a few functions is refused, so a rule file can neither misspell a column in silence nor
reach beyond its subject.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from creditops.errors import UsageError

FUNCTIONS = frozenset({"coalesce", "greatest", "least", "abs", "nullif", "round", "floor", "ln"})
KEYWORDS = frozenset({
    "and", "or", "not", "is", "null", "true", "false", "between", "in", "like", "distinct", "from",
    "case", "when", "then", "else", "end", "date", "interval",
})  # fmt: skip
_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<string>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)|(?P<name>[a-z_][a-z0-9_]*)"
    r"|\{(?P<parameter>[a-z_][a-z0-9_]*)\}|(?P<operator><=|>=|<>|!=|[-+*/<>=(),])"
)

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
    """Check ``text`` and put the parameters' values in.

    Parameters
    ----------
    columns: names the expression may read.
    parameters: values of the ``{name}`` placeholders.
    where: what the expression belongs to, for the error message.

    Raises
    ------
    UsageError: a token that is not allowed, an unknown column or parameter, or unbalanced brackets.
    """
    parts: list[str] = []
    read: dict[str, None] = {}
    position = depth = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise UsageError(
                f"{where}: {text[position : position + 20]!r} at character {position + 1} is not allowed",
                hint="use columns, {parameters}, literals, comparison, arithmetic, and, or, not, case",
            )
        position = match.end()
        token = match.group()
        name, parameter = match.group("name"), match.group("parameter")
        if parameter is not None:
            if parameter not in parameters:
                raise UsageError(
                    f"{where}: there is no parameter {parameter!r}",
                    hint=f"declared are: {', '.join(sorted(parameters)) or 'none'}",
                )
            token = number_literal(parameters[parameter])
        elif name is not None and name not in KEYWORDS:
            is_call = text[position:].lstrip().startswith("(")
            if name in columns:
                read[name] = None
            elif not (is_call and name in FUNCTIONS):
                raise UsageError(
                    f"{where}: there is no column {name!r}"
                    if not is_call
                    else f"{where}: function {name!r} is not allowed",
                    hint=f"columns: {', '.join(sorted(columns))}; functions: {', '.join(sorted(FUNCTIONS))}",
                )
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth < 0:
            break
        parts.append(" " if match.group("space") else token)
    if depth != 0:
        raise UsageError(f"{where}: the brackets do not match in {text!r}", hint="count them")
    return Expression("".join(parts).strip(), tuple(read))


def number_literal(value: Number) -> str:
    """A number as SQL; a negative one in brackets."""
    return f"({value!r})" if value < 0 else repr(value)


def text_literal(value: str) -> str:
    """A text as SQL."""
    return "'" + value.replace("'", "''") + "'"
