"""Small deliveries for the tests of loading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from creditops.ingest.land.landing import land
from creditops.ingest.write.loader import LoadResult, load_file
from creditops.settings import get_settings
from creditops.sources import contract as contracts
from creditops.warehouse.connection import connect

DAY = date(2026, 6, 30)


def deliver(
    folder: Path,
    source: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    day: date = DAY,
    name: str | None = None,
    book: str = "demo",
    confirm_deletions: bool = False,
    columns: Sequence[str] | None = None,
) -> LoadResult:
    """Write rows as a CSV file of a source, land and load it."""
    if columns is None:
        columns = [column.name for column in contracts.load_contract(source, book).columns]
    lines = [",".join(columns)]
    lines += [",".join(str(row.get(name, "")) for name in columns) for row in rows]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"{source}.csv")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (landed,) = land(book, [path], day)
    return load_file(landed, confirm_deletions=confirm_deletions)


def select(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connect("loader") as connection:
        return connection.execute(statement, parameters).fetchall()  # type: ignore[arg-type]


def add_source(document: Mapping[str, Any]) -> None:
    """A source of the test's own data home."""
    folder = get_settings().home / "contracts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{document['source']}.yml").write_text(yaml.safe_dump(dict(document), allow_unicode=True))
    contracts._load_all.cache_clear()
