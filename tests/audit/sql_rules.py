"""Conditions of rule and policy files, decided by DuckDB on rows that the oracle made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import pandas as pd

_CONNECTION = duckdb.connect()


def select(
    rows: Sequence[dict[str, Any]], condition: str, parameters: dict[str, Any]
) -> list[dict[str, Any]]:
    """The rows for which an SQL condition with ``{parameters}`` holds; an unknown value does not."""
    if not rows:
        return []
    frame = pd.DataFrame(rows).convert_dtypes()
    text = condition
    for name, value in parameters.items():
        text = text.replace("{" + name + "}", repr(value))
    with _CONNECTION.cursor() as cursor:
        cursor.register("subject", frame.reset_index(names="_row"))
        places = cursor.execute(f"select _row from subject where {text} order by _row").fetchall()
    return [rows[place] for (place,) in places]
