"""Rows that a read-only statement gives, for commands that show them."""

from __future__ import annotations

from typing import Any

from creditops.errors import UsageError
from creditops.warehouse.connection import connect


def select_rows(statement: str, parameters: dict[str, Any] | None, *, role: str) -> list[dict[str, Any]]:
    """Run one statement as ``role``; it cannot change anything.

    Raises
    ------
    UsageError: PostgreSQL refuses the statement.
    """
    import psycopg
    from psycopg.rows import dict_row

    with connect(role) as connection:
        connection.read_only = True
        try:
            cursor = connection.cursor(row_factory=dict_row)
            cursor.execute(statement, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise UsageError(
                f"PostgreSQL says: {str(error).splitlines()[0]}", hint=f"the statement ran as role {role}"
            ) from error
