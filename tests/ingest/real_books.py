"""Loads a real data set through its adapter, and what the ledger says of it afterwards."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from creditops.ingest.land.adapted import land_adapted
from creditops.ingest.write.loader import load_file
from creditops.warehouse.connection import connect

Counts = tuple[int, int, int, int]


def load_real(adapter: str, book: str, folder: Path) -> None:
    """Land and load what ``adapter`` makes of ``folder``, as ``creditops ingest --adapter`` does."""
    for landed in land_adapted(book, [folder], adapter, None):
        load_file(landed)


def ledger(book: str) -> dict[str, Counts]:
    """Per source: rows read, loaded, unchanged, quarantined over all its files."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for source, *counts in select(
        "select source, rows_read, rows_loaded, rows_unchanged, rows_quarantined from ops.load_ledger"
        " where book = %s and status = 'loaded'",
        book,
    ):
        found[source] = [a + b for a, b in zip(found[source], counts, strict=True)]
    return {source: (a, b, c, d) for source, (a, b, c, d) in found.items()}


def select(statement: str, *parameters: object) -> list[tuple]:  # type: ignore[type-arg]
    """Rows of a query as the loader."""
    with connect("loader") as connection:
        return connection.execute(statement, parameters).fetchall()  # type: ignore[arg-type]
