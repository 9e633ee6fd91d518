"""Writes rows into raw: straight into the table, or through a stage where rows have to be compared.

A book's first rows of a source have nothing to be compared with, so they are copied straight into the
table; the primary key stops the copy if the file repeats a key, and the file then goes the other way.
Otherwise the file is copied into a temporary table, and each row looks up by the primary key the one
version it would follow: what is loaded costs the same however long the history is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import polars as pl
import psycopg
from psycopg import sql

from creditops.books import zone
from creditops.ingest.check.known_time import ALWAYS, KnownTime
from creditops.ingest.check.row_hash import row_hashes
from creditops.ingest.check.validation import BadRow, row_text
from creditops.ingest.write.binary_rows import HEADER, TRAILER, binary_rows
from creditops.personal_data import masked
from creditops.reading.book_time import day_ends, local_days
from creditops.reading.reader import LINE
from creditops.sources.contract import Contract

_PLATFORM = (
    ("book", "text"),
    ("_batch_id", "bigint"),
    (LINE, "bigint"),
    ("_row_hash", "bigint"),
    ("loaded_at", "timestamptz"),
    ("_deleted", "boolean"),
)
_ANALYZE_FROM_ROWS = 1_000  # the build that follows at once needs the planner's statistics
_ANALYZE_FROM_SHARE = 0.1
Columns = list[tuple[str, str]]


def raw_columns(contract: Contract) -> Columns:
    """Name and PostgreSQL type of every column of the raw table, as rows are sent."""
    return [*((name, type_) for name, type_, _ in contract.raw_columns()), *_PLATFORM]


def raw_rows(
    good: pl.DataFrame, contract: Contract, book: str, batch_id: int, known: KnownTime
) -> pl.DataFrame:
    """Good rows with the platform's columns beside their own."""
    deletes = contract.delivery.deletes
    names = [name for name, _, _ in contract.raw_columns()]
    return good.with_columns(
        pl.lit(book).alias("book"),
        pl.lit(batch_id, pl.Int64).alias("_batch_id"),
        pl.Series("_row_hash", row_hashes(good, names)),
        _loaded_at(good, contract, book, known).alias("loaded_at"),
        pl.col(contract.delivery.operation).is_in(list(deletes)).fill_null(False).alias("_deleted")
        if deletes and contract.delivery.operation
        else pl.lit(False).alias("_deleted"),
    )


def copy_rows(
    connection: psycopg.Connection, table: sql.Composable, columns: Columns, frames: Iterable[memoryview]
) -> None:
    """COPY encoded rows into a table."""
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        table, sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
    )
    with connection.cursor() as cursor, cursor.copy(statement) as stream:
        stream.write(HEADER)
        for block in frames:
            stream.write(block)
        stream.write(TRAILER)


def encoded(frame: pl.DataFrame, contract: Contract) -> memoryview:
    """Rows as COPY sends them, all columns of :func:`raw_columns`."""
    return binary_rows(frame, raw_columns(contract))


def create_stage(connection: psycopg.Connection, contract: Contract) -> None:
    """An empty temporary table ``stage`` with the columns of the raw table, gone with the transaction."""
    connection.execute("drop table if exists pg_temp.stage")
    connection.execute(
        sql.SQL("create temporary table stage on commit drop as select {} from raw.{} with no data").format(
            sql.SQL(", ").join(sql.Identifier(name) for name, _ in raw_columns(contract)),
            sql.Identifier(contract.table),
        )
    )


def take_out_repeats(connection: psycopg.Connection, contract: Contract) -> list[BadRow]:
    """Of staged rows with one key keep the first; exact repeats go silently, others are faults.

    Of change events with one key the last counts, whatever came before.
    """
    columns = [name for name, _, _ in contract.raw_columns()]
    events = contract.delivery.mode == "changes"
    removed = connection.execute(
        sql.SQL(
            "with ranked as (select ctid, {row}, first_value({row}) over w as kept_row,"
            " first_value(_row_hash) over w as kept_hash"
            " from stage window w as (partition by {key} order by {row} {direction}))"
            " delete from stage s using ranked r where s.ctid = r.ctid and r.{row} <> r.kept_row"
            " returning s.{row}, r.kept_row, s._row_hash = r.kept_hash, {columns}"
        ).format(
            row=sql.Identifier(LINE),
            key=_key(contract),
            direction=sql.SQL("desc" if events else "asc"),
            columns=sql.SQL(", ").join(sql.SQL("s.{}::text").format(sql.Identifier(c)) for c in columns),
        )
    ).fetchall()
    key = ", ".join(contract.key)
    conflicts: list[BadRow] = []
    for line, kept, same, *cells in removed:
        if same or events:
            continue
        shown = dict(zip(columns, cells, strict=True))
        value = ", ".join(str(shown.get(name)) for name in contract.key)
        reason = f"repeats the key ({key}) of line {kept} with other values"
        told = masked({"column": key, "value": value, "reason": reason})
        conflicts.append(BadRow(line, row_text(masked(shown)), [told]))
    return conflicts


def insert_changed(connection: psycopg.Connection, contract: Contract, book: str) -> int:
    """Append the staged rows that differ from the version they follow; returns how many do."""
    names = [name for name, _ in raw_columns(contract)]
    return connection.execute(
        sql.SQL(
            "insert into raw.{table} ({columns}) select {columns} from stage s"
            " where not coalesce((select r._row_hash = s._row_hash and r._deleted = s._deleted"
            "  from raw.{table} r where r.book = {book} and {same_key} and r.loaded_at <= s.loaded_at"
            "  order by r.loaded_at desc, r._batch_id desc limit 1), s._deleted)"
        ).format(
            table=sql.Identifier(contract.table),
            columns=sql.SQL(", ").join(map(sql.Identifier, names)),
            book=sql.Literal(book),
            same_key=same_key(contract, "r", "s"),
        )
    ).rowcount


def same_key(contract: Contract, left: str, right: str) -> sql.Composed:
    """``left.key = right.key`` over the columns of the business key."""
    return sql.SQL(" and ").join(
        sql.SQL("{0}.{2} = {1}.{2}").format(sql.Identifier(left), sql.Identifier(right), sql.Identifier(name))
        for name in contract.key
    )


def keep_statistics_fresh(connection: psycopg.Connection, contract: Contract, loaded: int) -> None:
    """Analyse the raw table after a load that changed its shape; not after every drop in the sea."""
    if loaded < _ANALYZE_FROM_ROWS:
        return
    row = connection.execute(
        "select reltuples from pg_class where oid = to_regclass(%s)", (f"raw.{contract.table}",)
    ).fetchone()
    if row is None or loaded >= _ANALYZE_FROM_SHARE * row[0]:
        connection.execute(sql.SQL("analyze raw.{}").format(sql.Identifier(contract.table)))


def _key(contract: Contract) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, contract.key))


def _loaded_at(good: pl.DataFrame, contract: Contract, book: str, known: KnownTime) -> pl.Expr:
    if not known.is_history:
        return _instant(known.loaded_at)
    if not contract.available:
        return _instant(ALWAYS)
    home = str(zone(book))
    days = good.select(
        pl.coalesce(
            local_days(good[name], home) if contract.column(name).type == "ts" else good[name]
            for name in contract.available
        )
    ).to_series()
    return pl.min_horizontal(day_ends(days, home), _instant(known.loaded_at))


def _instant(at: datetime) -> pl.Expr:
    return pl.lit(at.astimezone(UTC)).cast(pl.Datetime("us", "UTC"))
