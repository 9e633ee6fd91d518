"""Which publication a report is about, and reading its tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from creditops.errors import UsageError
from creditops.warehouse.connection import connect

_COLUMNS = (
    "publication_id, book, as_of_date, known_at, published_at, code_version, models, policy_version, gates"
)


@dataclass(frozen=True)
class Publication:
    """A publication and the connection that reads it.

    The current one is read through the views of schema ``publish`` as bi_reader sees them, an
    earlier one from the stored rows of its id.
    """

    connection: psycopg.Connection
    schema: str
    publication_id: str
    book: str
    as_of: date
    known_at: datetime
    published_at: datetime
    code_version: str
    models: list[dict[str, Any]]
    policy_version: str | None
    gates: list[dict[str, Any]]

    def has(self, table: str) -> bool:
        """Whether this version of the warehouse publishes the table."""
        row = self.connection.execute(
            "select to_regclass(%s) is not null", (f"{self.schema}.{table}",)
        ).fetchone()
        return bool(row and row[0])

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Rows of a query; ``{table}`` in it stands for this publication's rows of a published table."""
        cursor = self.connection.cursor(row_factory=dict_row)
        return cursor.execute(
            query.format_map(_Relations(self.schema)),  # type: ignore[arg-type]
            {"publication_id": self.publication_id, **values},
        ).fetchall()


class _Relations(dict[str, str]):
    def __init__(self, schema: str) -> None:
        super().__init__()
        self.schema = schema

    def __missing__(self, table: str) -> str:
        return f"(select * from {self.schema}.{table} where publication_id = %(publication_id)s) as {table}"


@contextmanager
def open_publication(book: str, as_of: date | None) -> Iterator[Publication]:
    """The book's current publication, or its last one for ``as_of``.

    Raises
    ------
    UsageError: there is none.
    """
    with connect("bi_reader") as connection:
        found = _find(connection, "publish.publication", book, as_of)
        if found is not None:
            yield _publication(connection, "publish", found)
            return
        others = [row[0] for row in connection.execute("select book from publish.publication order by book")]
    if as_of is None:
        first = f"publish a day first: `creditops run all --book {book} --as-of DAY`"
        raise UsageError(
            f"book {book} has no publication",
            hint=f"name another with --book ({', '.join(others)}), or {first}" if others else first,
        )
    with connect("publisher") as connection:
        found = _find(connection, "ops.publication_history", book, as_of)
        if found is None:
            raise UsageError(
                f"book {book} has no publication for {as_of}", hint="see `creditops publish list`"
            )
        yield _publication(connection, "published", found)


def _find(
    connection: psycopg.Connection, relation: str, book: str, as_of: date | None
) -> dict[str, Any] | None:
    return (
        connection.cursor(row_factory=dict_row)
        .execute(
            f"select {_COLUMNS} from {relation} where book = %(book)s and published_at is not null"
            " and (%(as_of)s::date is null or as_of_date = %(as_of)s) order by published_at desc limit 1",  # type: ignore[arg-type]
            {"book": book, "as_of": as_of},
        )
        .fetchone()
    )


def _publication(connection: psycopg.Connection, schema: str, row: dict[str, Any]) -> Publication:
    as_of = row.pop("as_of_date")
    return Publication(
        connection=connection,
        schema=schema,
        as_of=as_of,
        **{**row, "models": _mappings(row["models"]), "gates": _mappings(row["gates"])},
    )


def _mappings(value: Any) -> list[dict[str, Any]]:
    """A JSON list of objects; an object by name becomes a list with that name in each."""
    if isinstance(value, dict):
        return [
            {"name": name, **(each if isinstance(each, dict) else {"value": each})}
            for name, each in value.items()
        ]
    return [each for each in value or [] if isinstance(each, dict)]
