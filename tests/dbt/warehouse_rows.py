"""Reads what a build wrote."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from psycopg.rows import dict_row

from creditops.warehouse import connect


def rows(query: str, *parameters: Any) -> list[dict[str, Any]]:
    """Rows of a query as the owner, as dictionaries."""
    with connect("owner") as connection:
        return connection.cursor(row_factory=dict_row).execute(query, parameters).fetchall()  # type: ignore[arg-type]


def checksum(table: str, book: str) -> tuple[int, str]:
    """Number of rows of a book in a table, and a checksum that ignores their order."""
    (row,) = rows(
        f"select count(*) as n, coalesce(sum(hashtextextended(t::text, 0)), 0)::text as sum from {table} as t"
        " where book = %s",
        book,
    )
    return row["n"], row["sum"]


def month_ends(first: date, last: date) -> Iterator[date]:
    """Month ends from the month of ``first`` to ``last``."""
    day = first.replace(day=1)
    while True:
        next_month = (day + timedelta(days=32)).replace(day=1)
        if next_month - timedelta(days=1) > last:
            return
        yield next_month - timedelta(days=1)
        day = next_month
