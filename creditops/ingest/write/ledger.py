"""``ops.load_ledger``: one line per file and load, and what goes with it.

``rows read = loaded + unchanged + quarantined`` holds for every line (a check constraint);
``ops.load_unreconciled`` lists the lines for which it does not hold, or whose quarantined rows are
not there. Everything is written in the transaction of the load.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg import sql

from creditops.ingest.check.validation import BadRow, Breaches
from creditops.ingest.land.landing import LandedFile
from creditops.sources.contract import Contract
from creditops.warehouse.run_log import current_run_id


@dataclass(frozen=True)
class Counts:
    """Rows of a file by what became of them, and keys that a snapshot no longer has."""

    read: int
    loaded: int
    unchanged: int
    quarantined: int
    deleted: int = 0


@dataclass(frozen=True)
class LoadResult:
    """One line of ``ops.load_ledger``."""

    batch_id: int
    book: str
    source: str
    file: str
    status: str
    rows_read: int
    rows_loaded: int
    rows_unchanged: int
    rows_quarantined: int
    seconds: float
    message: str | None = None
    rows_deleted: int = 0
    warnings: tuple[str, ...] = ()
    covers_from: date | None = None
    covers_to: date | None = None
    rows_left_out: int = 0


@dataclass(frozen=True)
class LaterDelivery:
    """A file that was loaded before, of a later delivery than the one at hand."""

    file: LandedFile
    sha256: str
    loaded_at: datetime
    was_first: bool


NOTHING = Counts(0, 0, 0, 0)


def last_looks(connection: psycopg.Connection) -> dict[str, datetime]:
    """When a load last looked at each file, by the file's name."""
    return dict(
        connection.execute("select file, max(recorded_at) from ops.load_ledger group by file").fetchall()
    )


def open_entry(
    connection: psycopg.Connection,
    landed: LandedFile,
    contract: Contract,
    status: str,
    loaded_at: datetime,
    *,
    message: str | None = None,
) -> int:
    """Write a line with no rows yet; returns its batch id."""
    row = connection.execute(
        "insert into ops.load_ledger (book, source, file, sha256, delivery_date, status, rows_read,"
        " rows_loaded, rows_unchanged, rows_quarantined, loaded_at, seconds, contract_version, message,"
        " run_id) values (%s, %s, %s, '', %s, %s, 0, 0, 0, 0, %s, 0, %s, %s, %s) returning batch_id",
        (
            landed.book,
            landed.source,
            landed.name,
            landed.delivery,
            status,
            loaded_at,
            contract.version,
            message,
            current_run_id(),
        ),
    ).fetchone()
    assert row is not None
    return int(row[0])


def close_entry(
    connection: psycopg.Connection,
    batch_id: int,
    landed: LandedFile,
    status: str,
    sha256: str,
    counts: Counts,
    seconds: float,
    *,
    message: str | None = None,
    breaches: Mapping[str, Breaches] | None = None,
    covers: tuple[date, date] | None = None,
) -> LoadResult:
    """Enter what the load came to; PostgreSQL refuses counts that do not add up.

    Parameters
    ----------
    covers: first and last day of the rows' ``effective`` column.
    """
    left_out = sum(landed.left_out.values())
    if left_out:
        reasons = ", ".join(f"{why} {rows}" for why, rows in landed.left_out.items())
        said = f"{left_out} rows of the delivered file were left out by its adapter ({reasons})"
        message = "; ".join(filter(None, (message, said)))
    connection.execute(
        "update ops.load_ledger set sha256 = %s, rows_read = %s, rows_loaded = %s, rows_unchanged = %s,"
        " rows_quarantined = %s, rows_deleted = %s, rows_left_out = %s, seconds = %s, message = %s,"
        " covers_from = %s, covers_to = %s where batch_id = %s",
        (
            sha256,
            counts.read,
            counts.loaded,
            counts.unchanged,
            counts.quarantined,
            counts.deleted,
            left_out,
            round(seconds, 4),
            message,
            *(covers or (None, None)),
            batch_id,
        ),
    )
    found = {name: each for name, each in (breaches or {}).items() if each.rows}
    for name, each in found.items():
        connection.execute(
            "insert into ops.load_warning (batch_id, check_name, rows_failed, first_line)"
            " values (%s, %s, %s, %s)",
            (batch_id, name, each.rows, each.first_line),
        )
    return LoadResult(
        batch_id,
        landed.book,
        landed.source,
        landed.name,
        status,
        counts.read,
        counts.loaded,
        counts.unchanged,
        counts.quarantined,
        seconds,
        message,
        counts.deleted,
        tuple(f"{name}: {each.rows} rows, first line {each.first_line}" for name, each in found.items()),
        covers_from=covers[0] if covers else None,
        covers_to=covers[1] if covers else None,
        rows_left_out=left_out,
    )


def note_not_taken(
    connection: psycopg.Connection,
    *,
    book: str,
    file: str,
    delivery: date,
    sha256: str,
    why: str,
    at: datetime,
) -> bool:
    """A line of status ``not_taken`` for a file from which nothing is loaded, unless its content has one;
    whether it is new.
    """
    noted = connection.execute(
        "insert into ops.load_ledger (book, source, file, sha256, delivery_date, status, rows_read,"
        " rows_loaded, rows_unchanged, rows_quarantined, loaded_at, seconds, contract_version, message,"
        " run_id) select %(book)s, '', %(file)s, %(sha256)s, %(delivery)s, 'not_taken', 0, 0, 0, 0, %(at)s,"
        " 0, 0, %(why)s, %(run)s where not exists (select from ops.load_ledger where book = %(book)s"
        " and file = %(file)s and sha256 = %(sha256)s and status = 'not_taken' and message = %(why)s)",
        {
            "book": book,
            "file": file,
            "sha256": sha256,
            "delivery": delivery,
            "at": at,
            "why": why,
            "run": current_run_id(),
        },
    )
    return noted.rowcount > 0


def quarantine_rows(
    connection: psycopg.Connection, landed: LandedFile, batch_id: int, bad: Iterable[BadRow]
) -> None:
    """Put bad rows into quarantine, in the order of their lines."""
    statement = "copy ops.quarantine (batch_id, book, source, file, line, row_text, reasons) from stdin"
    with connection.cursor() as cursor, cursor.copy(statement) as stream:
        for row in sorted(bad, key=lambda row: row.line):
            reasons = json.dumps(row.reasons, ensure_ascii=False)
            stream.write_row(
                (batch_id, landed.book, landed.source, landed.name, row.line, row.row_text, reasons)
            )


def rows_loaded_before(
    connection: psycopg.Connection, landed: LandedFile, sha256: str, contract: Contract
) -> int | None:
    """Rows of the same content in the same delivery; in a later one it would be a new statement."""
    row = connection.execute(
        "select rows_read from ops.load_ledger where book = %s and source = %s and sha256 = %s"
        " and delivery_date = %s and contract_version = %s and status = 'loaded' and withdrawn_by is null"
        " order by batch_id limit 1",
        (landed.book, landed.source, sha256, landed.delivery, contract.version),
    ).fetchone()
    return None if row is None else int(row[0])


def withdrawal_of(
    connection: psycopg.Connection, landed: LandedFile, sha256: Callable[[], str], came: datetime
) -> int | None:
    """The batch that withdrew this content of a file after it ``came``; ``None`` where it may be loaded."""
    rows = connection.execute(
        "select l.sha256, w.batch_id from ops.load_ledger l"
        " join ops.load_ledger w on w.batch_id = l.withdrawn_by"
        " where l.book = %s and l.source = %s and l.file = %s and l.delivery_date = %s and w.recorded_at > %s"
        " order by w.batch_id desc",
        (landed.book, landed.source, landed.name, landed.delivery, came),
    ).fetchall()
    content = sha256() if rows else ""
    return next((batch for sha, batch in rows if sha == content), None)


def later_deliveries(
    connection: psycopg.Connection, landed: LandedFile, loaded_at: datetime
) -> list[LaterDelivery]:
    """Loads of the same source whose delivery and knowledge time lie behind those of ``landed``."""
    rows = connection.execute(
        "select distinct on (delivery_date, file, sha256) file, sha256, delivery_date, loaded_at,"
        " not exists (select from ops.load_ledger e where e.book = l.book and e.source = l.source"
        "  and e.status = 'loaded' and e.withdrawn_by is null and e.batch_id < l.batch_id"
        "  and e.delivery_date <> l.delivery_date)"
        " from ops.load_ledger l where book = %s and source = %s and status = 'loaded'"
        " and withdrawn_by is null and delivery_date > %s and loaded_at > %s"
        " order by delivery_date, file, sha256, batch_id",
        (landed.book, landed.source, landed.delivery, loaded_at),
    ).fetchall()
    return [
        LaterDelivery(_landed(landed, file, day), sha256, known, first)
        for file, sha256, day, known, first in rows
    ]


def loads_after(connection: psycopg.Connection, landed: LandedFile, batch_id: int) -> list[LaterDelivery]:
    """Loads of the same source that came after a batch and stand, by delivery; each content once."""
    rows = connection.execute(
        "select * from (select distinct on (delivery_date, file, sha256) file, sha256, delivery_date,"
        " loaded_at, batch_id from ops.load_ledger where book = %s and source = %s and status = 'loaded'"
        " and withdrawn_by is null and batch_id > %s order by delivery_date, file, sha256, batch_id) as loads"
        " order by delivery_date, batch_id",
        (landed.book, landed.source, batch_id),
    ).fetchall()
    return [
        LaterDelivery(_landed(landed, file, day), sha256, known, False)
        for file, sha256, day, known, _ in rows
    ]


def mark_withdrawn(
    connection: psycopg.Connection, landed: LandedFile, sha256: str, batch_id: int, entry: int
) -> list[int]:
    """Note that ``entry`` withdraws a batch and what was compared again of its file; their numbers."""
    connection.execute("update ops.load_ledger set withdraws = %s where batch_id = %s", (batch_id, entry))
    rows = connection.execute(
        "update ops.load_ledger set withdrawn_by = %s where status = 'loaded' and withdrawn_by is null"
        " and (batch_id = %s or (book = %s and source = %s and file = %s and sha256 = %s"
        " and delivery_date = %s)) returning batch_id",
        (entry, batch_id, landed.book, landed.source, landed.name, sha256, landed.delivery),
    ).fetchall()
    return [row[0] for row in rows]


def has_raw_rows(connection: psycopg.Connection, contract: Contract, book: str) -> bool:
    """Whether raw holds any row of the book; found in the primary key's index, never by a scan."""
    row = connection.execute(
        sql.SQL("select 1 from raw.{} where book = %s order by book, {} limit 1").format(
            sql.Identifier(contract.table), sql.SQL(", ").join(map(sql.Identifier, contract.key))
        ),
        (book,),
    ).fetchone()
    return row is not None


def _landed(like: LandedFile, file: str, day: date) -> LandedFile:
    from creditops.settings import get_settings

    return LandedFile(get_settings().landing / file, like.book, like.source, day)
