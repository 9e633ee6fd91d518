"""Rows of a published table as its dbt model finds them, for tests that publish nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import pytest
from psycopg.rows import dict_row

from creditops.build import PROJECT
from creditops.warehouse.connection import connect
from creditops.warehouse.definitions import variables

_BOOK, _DAY, _DATABASE = "book_of_the_test", "0001-01-01", "database_of_the_test"
_KEPT = ("credit_limits", "collections_worklist")
"""Tables whose rows of each day are kept in ``actions``."""


def served(name: str, book: str, day: date) -> list[dict[str, Any]]:
    """Rows of a table for a book and day, from the warehouse as it is; what is kept of each day as kept."""
    query = _kept(name) if name in _KEPT else _queries()[name]
    for kept in _KEPT:
        query = query.replace(f'"serving"."{kept}"', f"({_kept(kept)}) as {kept}")
    query = query.replace(_BOOK, book).replace(_DAY, day.isoformat())
    with connect("builder") as connection:
        found = connection.cursor(row_factory=dict_row).execute(query).fetchall()  # type: ignore[arg-type]
    return [{column: value for column, value in row.items() if column != "book"} for row in found]


def _kept(name: str) -> str:
    return f"select * from actions.{name} where book = '{_BOOK}' and as_of_date = '{_DAY}'"


@lru_cache
def _queries() -> Mapping[str, str]:
    """The queries of layer ``serving``, as dbt compiles them for a book and day that stand for any."""
    from dbt.cli.main import dbtRunner

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        for name in ("HOST", "USER", "PASSWORD", "DATABASE"):
            patch.setenv(f"CREDITOPS_DBT_{name}", _DATABASE)
        compiled = dbtRunner().invoke(
            ["--log-level", "none", "--no-write-json", "--no-populate-cache", "compile", "--no-introspect",
             "--select", "path:models/serving", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT),
             "--target-path", folder, "--log-path", folder,
             "--vars", json.dumps({**variables(), "book": _BOOK, "as_of": _DAY})]
        )  # fmt: skip
    assert compiled.success, compiled.exception
    queries = {each.node.name: each.node.compiled_code for each in compiled.result.results}  # type: ignore[union-attr]
    return {name: query.replace(f'"{_DATABASE}".', "") for name, query in queries.items()}
