"""Rows that broke their contract: kept with text, file, line and reasons; replayed or discarded.

A replay reads the row again from its landed file (so that personal data never lies in the
quarantine), validates it by today's contract and loads it as a batch of its own.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from creditops.errors import UsageError
from creditops.ingest.land.landing import LandedFile
from creditops.ingest.replayed import key_cells, load_lines
from creditops.settings import get_settings
from creditops.sources.contract import load_contract
from creditops.warehouse import audit
from creditops.warehouse.connection import connect

_COLUMNS = "quarantine_id, batch_id, book, source, file, line, row_text, reasons, status"


@dataclass(frozen=True)
class Replay:
    """How many replayed rows were loaded, and how many are still bad."""

    loaded: int
    still_bad: int


def sentence(reason: dict[str, Any]) -> str:
    """A reason in one line."""
    if not reason["column"]:
        return str(reason["reason"])
    shown = "" if reason["value"] is None else f" {reason['value']!r}"
    return f"{reason['column']}{shown} {reason['reason']}"


def open_rows(book: str | None = None) -> list[dict[str, Any]]:
    """Open rows, oldest first."""
    with connect("loader") as connection:
        return (
            connection.cursor(row_factory=dict_row)
            .execute(
                f"select {_COLUMNS} from ops.quarantine where status = 'open'"
                " and (%(book)s::text is null or book = %(book)s) order by quarantine_id",
                {"book": book},
            )
            .fetchall()
        )


def show(quarantine_id: int) -> dict[str, Any]:
    """One row with its cells as ``column``, ``value``, ``reason``.

    Raises
    ------
    UsageError: there is no such row.
    """
    with connect("loader") as connection:
        row = (
            connection.cursor(row_factory=dict_row)
            .execute(f"select {_COLUMNS} from ops.quarantine where quarantine_id = %s", (quarantine_id,))
            .fetchone()
        )
    if row is None:
        raise UsageError(f"no quarantined row {quarantine_id}", hint="see `creditops quarantine list`")
    names = [column.name for column in load_contract(row["source"], row["book"]).columns]
    values = next(csv.reader([row["row_text"]]))
    reasons = {each["column"]: each["reason"] for each in row["reasons"]}
    row["cells"] = [
        {"column": name, "value": value, "reason": reasons.get(name, "")}
        for name, value in zip(names, values, strict=False)
    ]
    return row


def replay(ids: Sequence[int] | None, *, book: str | None, actor: str) -> Replay:
    """Read rows again from their landed files and load those that are good now.

    Raises
    ------
    UsageError: neither ids nor a book is given, or a landed file is gone.
    """
    if ids is None and book is None:
        raise UsageError("nothing to replay is named", hint="give row numbers, or --book")
    chosen = [row for row in open_rows(book) if ids is None or row["quarantine_id"] in ids]
    loaded = 0
    for file, source, of_book in sorted({(row["file"], row["source"], row["book"]) for row in chosen}):
        of_file = [row for row in chosen if row["file"] == file]
        rows = {row["line"]: row["quarantine_id"] for row in of_file}
        path = get_settings().landing / file
        if not path.is_file():
            raise UsageError(
                f"the landed file {file} is gone", hint="land it again, then replay; or discard the rows"
            )
        landed = LandedFile(path, of_book, source, _delivery(file))

        def close(connection: psycopg.Connection, good: list[int], rows: dict[int, int] = rows) -> None:
            _close(connection, [rows[line] for line in good], "replayed", actor=actor, reason="replayed")

        contract = load_contract(source, of_book)
        lines = {row["line"]: key_cells(row, contract) for row in of_file}
        loaded += len(load_lines(landed, lines, run_note=f"replay by {actor}", finish=close))
    return Replay(loaded, len(chosen) - loaded)


def discard(ids: Sequence[int], *, reason: str, actor: str) -> int:
    """Give rows up; they stay in the table with who and why."""
    if not reason.strip():
        raise UsageError("a discarded row needs a reason", hint='write --reason "..."')
    with connect("loader") as connection:
        return _close(connection, ids, "discarded", actor=actor, reason=reason)


def _close(
    connection: psycopg.Connection, ids: Sequence[int], status: str, *, actor: str, reason: str
) -> int:
    closed = connection.execute(
        "update ops.quarantine set status = %s, closed_at = clock_timestamp(), closed_by = %s,"
        " closed_reason = %s where quarantine_id = any(%s) and status = 'open' returning quarantine_id",
        (status, actor, reason, list(ids)),
    ).fetchall()
    if closed:
        after = sorted(each for (each,) in closed)
        action = f"quarantine.{status}"
        audit.append(connection, actor, action, "ops.quarantine", before="open", after=after, reason=reason)
    return len(closed)


def _delivery(file: str) -> Any:
    from creditops.books import parse_day

    return parse_day(file.split("/")[1])
