"""The verdict on a customer: what everything published about one of them on a day follows from.

``marts.fct_customer_state`` says what a customer is (class, default and why, open or closed), the
scorecards what is expected of the rest. :func:`settle` puts both into one row a customer, which
warnings, limits, worklist, hand-overs, texts and boards read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from importlib.resources import files

from creditops.errors import DataRefusedError
from creditops.grades import DEFAULT_GRADE
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import LIVE_SCHEMAS


def settle(book: str, as_of: date, *, schemas: Mapping[str, str] = LIVE_SCHEMAS) -> int:
    """Write the verdict on every customer of a book for a day; rows written. The day's rows are replaced.

    Reads the customers' state in ``marts`` and the day's scores; of several scorecards the worst PD speaks.

    Raises
    ------
    DataRefusedError: the marts are not of this day.
    """
    statement = files("creditops.verdict").joinpath("settle.sql").read_text(encoding="utf-8")
    values = {"book": book, "as_of": as_of, "default_grade": DEFAULT_GRADE}
    with connect("publisher", large_joins=True) as connection:
        connection.execute(
            "delete from actions.customer_verdict where book = %s and as_of_date = %s", (book, as_of)
        )
        rows = connection.execute(statement.format_map(schemas), values).rowcount  # type: ignore[arg-type]
        connection.execute("analyze actions.customer_verdict")
    if not rows:
        raise DataRefusedError(
            f"{schemas['marts']}.fct_customer_state has no customer of book {book} for {as_of}",
            hint="build the warehouse for that day first: `creditops run build_warehouse`",
        )
    return rows
