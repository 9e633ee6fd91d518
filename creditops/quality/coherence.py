"""What must not be said of one customer at once: ``expectations/coherence.yml`` against one publication.

A *state* is a named statement with the query that finds of whom the publication makes it. A *pair* is
two states that nobody may be in at once; a *figure* is told in two places and must be the same in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
import yaml
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from creditops.errors import UsageError
from creditops.publish.tables import load_tables
from creditops.quality.suites import EXPECTATIONS
from creditops.texts import Text

KEYS = ("customer_id", "product_id", "facility_id", "scorecard")
"""Columns that say of whom a statement is; two statements meet on those that both have."""
_EXAMPLES = 5


class State(Text):
    """A statement in both languages, and the query that finds of whom it is made."""

    query: str


class Pair(BaseModel):
    """Two states that must not stand together."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    left: str
    right: str
    severity: Literal["critical", "warning"] = "critical"


class Figure(Text):
    """A figure told in two places: both queries give customer_id and value."""

    name: str
    left: str
    right: str
    severity: Literal["critical", "warning"] = "critical"


class Coherence(BaseModel):
    """The table as its file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    states: dict[str, State]
    pairs: tuple[Pair, ...]
    figures: tuple[Figure, ...] = ()

    @model_validator(mode="after")
    def _known_states(self) -> Coherence:
        named = [name for pair in self.pairs for name in (pair.left, pair.right)]
        if unknown := sorted(set(named) - set(self.states)):
            raise ValueError(f"pairs name states that are not there: {', '.join(unknown)}")
        if unused := sorted(set(self.states) - set(named)):
            raise ValueError(f"states that no pair names: {', '.join(unused)}")
        return self


@dataclass(frozen=True)
class Contradiction:
    """What the publication says of how many at once.

    Attributes
    ----------
    zh, en: the two statements, or the figure, in one sentence.
    looked_at: how many the first statement is about; ``found``: how many of them carry the second too.
    examples: up to five of them, with what each statement rests on.
    """

    name: str
    zh: str
    en: str
    severity: str
    looked_at: int
    found: int
    examples: list[str]


def load_coherence() -> Coherence:
    """The shipped table.

    Raises
    ------
    UsageError: the file is faulty.
    """
    path = EXPECTATIONS / "coherence.yml"
    try:
        return Coherence.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise UsageError(f"{path}: {error}", hint="mend the file; see docs/quality.md") from error


def relations_of(publication_id: str) -> dict[str, str]:
    """Every published table's rows of one publication, as SQL that stands where a table name may."""
    rows = sql.Literal(publication_id).as_string()
    return {name: f"(select * from published.{name} where publication_id = {rows})" for name in load_tables()}


def contradictions(
    connection: psycopg.Connection,
    relations: Mapping[str, str],
    coherence: Coherence | None = None,
) -> list[Contradiction]:
    """Hold the published rows to the table; one entry a pair and figure, also where nothing was found.

    Parameters
    ----------
    relations: published table -> SQL of its rows, as of :func:`relations_of`.

    Raises
    ------
    UsageError: a query of the table does not run; with its name.
    """
    table = coherence or load_coherence()
    keys = {
        name: _keep(connection, f"state_{name}", each.query, relations) for name, each in table.states.items()
    }
    found = [_of_pair(connection, table.states, pair, keys) for pair in table.pairs]
    for figure in table.figures:
        for side in ("left", "right"):
            _keep(connection, f"figure_{figure.name}_{side}", getattr(figure, side), relations)
        found.append(_of_figure(connection, figure))
    return found


def _keep(
    connection: psycopg.Connection, name: str, query: str, relations: Mapping[str, str]
) -> Sequence[str]:
    """Keep a query's rows in a temporary table; its key columns."""
    try:
        connection.execute(
            sql.SQL(
                "drop table if exists pg_temp.{0}; create temporary table {0} on commit drop as {1}"
            ).format(
                sql.Identifier(name),
                sql.SQL(query.format_map(relations)),  # type: ignore[arg-type]
            )
        )
        cursor = connection.execute(sql.SQL("select * from {} limit 0").format(sql.Identifier(name)))
    except (psycopg.Error, KeyError) as error:
        raise UsageError(
            f"expectations/coherence.yml: {name} does not run: {str(error).splitlines()[0]}",
            hint="mend its query; see docs/quality.md",
        ) from error
    assert cursor.description is not None
    found = [column.name for column in cursor.description if column.name in KEYS]
    if "customer_id" not in found:
        raise UsageError(f"expectations/coherence.yml: {name} gives no customer_id", hint="select it")
    return found


def _of_pair(
    connection: psycopg.Connection,
    states: Mapping[str, State],
    pair: Pair,
    keys: Mapping[str, Sequence[str]],
) -> Contradiction:
    left, right = states[pair.left], states[pair.right]
    shared = [name for name in keys[pair.left] if name in keys[pair.right]]
    query = sql.SQL(
        "select count(*) over () as found, {columns}, to_jsonb(l) - {keys}::text[] as l,"
        " to_jsonb(r) - {keys}::text[] as r"
        " from {left} as l inner join {right} as r using ({columns}) order by {columns} limit {most}"
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, shared)),
        keys=sql.Literal(list(shared)),
        left=sql.Identifier(f"state_{pair.left}"),
        right=sql.Identifier(f"state_{pair.right}"),
        most=sql.Literal(_EXAMPLES),
    )
    rows = connection.cursor(row_factory=dict_row).execute(query).fetchall()
    examples = [
        f"{_named(row, shared)}: {left.en}{_shown(row['l'])}, yet {right.en}{_shown(row['r'])}"
        for row in rows
    ]
    return Contradiction(
        f"{pair.left} and {pair.right}",
        f"{left.zh}，却{right.zh}",
        f"{left.en}, yet {right.en}",
        pair.severity,
        _count(connection, f"state_{pair.left}"),
        rows[0]["found"] if rows else 0,
        examples,
    )


def _of_figure(connection: psycopg.Connection, figure: Figure) -> Contradiction:
    left, right = (f"figure_{figure.name}_{side}" for side in ("left", "right"))
    query = sql.SQL(
        "select count(*) over () as found, customer_id, l.value as l, r.value as r"
        " from {left} as l inner join {right} as r using (customer_id)"
        " where l.value is distinct from r.value order by customer_id limit {most}"
    ).format(left=sql.Identifier(left), right=sql.Identifier(right), most=sql.Literal(_EXAMPLES))
    rows = connection.cursor(row_factory=dict_row).execute(query).fetchall()
    return Contradiction(
        f"{figure.name} told twice",
        f"{figure.zh}在两处不一致",
        f"{figure.en} differs between two places",
        figure.severity,
        _count(connection, left),
        rows[0]["found"] if rows else 0,
        [f"customer_id={row['customer_id']}: {row['l']} and {row['r']}" for row in rows],
    )


def _count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])


def _named(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    return ", ".join(f"{name}={row[name]}" for name in columns)


def _shown(values: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)
    return f" ({said})" if said else ""


def failed(found: Sequence[Contradiction]) -> Iterator[Contradiction]:
    """Those that stop a publication."""
    return (each for each in found if each.found and each.severity == "critical")
