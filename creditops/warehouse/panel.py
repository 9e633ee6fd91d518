"""The month end at which a book's panel was last observed: what "now" is for figures by the month."""

from __future__ import annotations

from datetime import date

import psycopg
from psycopg import sql


def latest_month_end(connection: psycopg.Connection, book: str, as_of: date, *, marts: str) -> date | None:
    """Last month end of ``fct_facility_month`` on or before ``as_of``; ``None`` without any.

    Parameters
    ----------
    marts: schema of the panel, live or of a past day.
    """
    row = connection.execute(
        sql.SQL(
            "select max(month_end) from {}.fct_facility_month where book = %s and month_end <= %s"
        ).format(sql.Identifier(marts)),
        (book, as_of),
    ).fetchone()
    return row[0] if row else None
