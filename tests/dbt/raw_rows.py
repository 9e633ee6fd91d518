"""Puts rows straight into the raw tables, as the loader leaves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from psycopg import sql

from creditops.books import end_of_day
from creditops.sources.contract import load_contract

LONG_KNOWN = datetime(1970, 1, 1, tzinfo=UTC)
"""Knowledge time of rows whose history is not in question."""


def known_on(day: date, book: str = "demo") -> datetime:
    """Knowledge time of rows that were delivered on ``day``."""
    return end_of_day(book, day)


def put(
    connection: psycopg.Connection,
    source: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    book: str = "demo",
    batch: int = 1,
    known: datetime = LONG_KNOWN,
) -> None:
    """Append rows to ``raw.<source>``; columns a row does not name are empty.

    A row may carry its own ``loaded_at``, which wins over ``known``.
    """
    columns = [name for name, _, _ in load_contract(source).raw_columns()]
    names = [*columns, "book", "_batch_id", "_row", "_row_hash", "loaded_at"]
    statement = sql.SQL("copy raw.{} ({}) from stdin").format(
        sql.Identifier(source), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with connection.cursor().copy(statement) as copy:
        for number, row in enumerate(rows, start=1):
            unknown = set(row) - set(columns) - {"loaded_at"}
            assert not unknown, f"raw.{source} has no {unknown}"
            copy.write_row(
                [*(row.get(name) for name in columns), book, batch, number, 0, row.get("loaded_at", known)]
            )


def put_product(
    connection: psycopg.Connection, product_id: str, product_type: str, book: str = "demo"
) -> None:
    """A product in force since long ago."""
    put(
        connection,
        "products",
        [
            {
                "product_id": product_id,
                "name": product_id,
                "product_type": product_type,
                "lgd": 0.5,
                "ccf": 0.5,
                "effective_date": date(2000, 1, 1),
            }
        ],
        book=book,
    )


def customer(customer_id: str, customer_type: str = "retail", **columns: Any) -> dict[str, Any]:
    """A row of ``customers``."""
    return {
        "customer_id": customer_id,
        "customer_type": customer_type,
        "effective_date": date(2000, 1, 1),
        **columns,
    }


def facility(
    facility_id: str, customer_id: str, product_id: str, opened_on: date, **columns: Any
) -> dict[str, Any]:
    """A row of ``facilities``, active and in yuan unless told otherwise."""
    return {
        "facility_id": facility_id,
        "customer_id": customer_id,
        "product_id": product_id,
        "opened_on": opened_on,
        "currency": "CNY",
        "status": "active",
        "effective_date": opened_on,
        **columns,
    }
