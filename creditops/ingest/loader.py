"""Loads one landed file into raw: validate, hash, compare, insert, reconcile, in one transaction.

``rows read = loaded + unchanged + quarantined`` holds for every file (a check constraint of
``ops.load_ledger``). A file is loaded whole or refused whole; the same content loads nothing twice.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import psycopg
from pandas.util import hash_array
from psycopg import sql

from creditops.books import zone
from creditops.errors import DataRefusedError
from creditops.ingest.known_time import ALWAYS, KnownTime, known_time
from creditops.ingest.landing import LandedFile, landed_files
from creditops.ingest.reader import LINE, open_source_file, read_batches
from creditops.ingest.validation import BadRow, ragged_row, validate
from creditops.settings import get_settings
from creditops.sources.contract import Contract, Domain, load_contract
from creditops.warehouse.connection import connect
from creditops.warehouse.raw_tables import ensure_current
from creditops.warehouse.run_log import current_run_id, record

Progress = Callable[[str, int], None]
_ANALYZE_FROM_ROWS = 1_000  # the build that follows at once needs the planner's statistics


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


@dataclass
class _Reading:
    """What has been read of the file so far."""

    rows: int = 0
    bad: list[BadRow] = field(default_factory=list)
    keys: list[np.ndarray] = field(default_factory=list)

    def has_repeated_keys(self) -> bool:
        hashes = np.concatenate(self.keys) if self.keys else np.empty(0, dtype=np.uint64)
        return len(np.unique(hashes)) < len(hashes)


def load_delivery(
    book: str, delivery: date, domain: Domain, *, progress: Progress | None = None
) -> list[LoadResult]:
    """Load every landed file of one domain's sources of one delivery, each on its own.

    Raises
    ------
    DataRefusedError: a file was refused; files beside it are loaded all the same.
    """
    results: list[LoadResult] = []
    refused: list[DataRefusedError] = []
    for landed in landed_files(book, delivery, set(Contract.sources_of(domain))):
        try:
            results.append(load_file(landed, progress=progress))
        except DataRefusedError as error:
            refused.append(error)
    if refused:
        raise DataRefusedError("; ".join(error.message for error in refused), hint=refused[0].hint)
    return results


def load_file(landed: LandedFile, *, progress: Progress | None = None) -> LoadResult:
    """Load one landed file.

    Raises
    ------
    DataRefusedError: the file breaks its contract (encoding, columns, more bad rows than the
        limit); the refusal is in the ledger, raw is as before.
    """
    started = time.perf_counter()
    contract = load_contract(landed.source, landed.book)
    ensure_current(contract)
    sha256 = _sha256(landed)
    with connect("loader") as connection:
        repeat = _loaded_before(connection, landed, sha256, contract)
        if repeat is not None:
            result = _record(
                connection,
                landed,
                contract,
                sha256,
                "repeat",
                (repeat, 0, repeat, 0),
                started,
                datetime.now(UTC),
                message="the same content was loaded before",
            )
        else:
            try:
                with connection.transaction():
                    result = _load(connection, landed, contract, sha256, started, progress)
            except DataRefusedError as error:
                _record(
                    connection,
                    landed,
                    contract,
                    sha256,
                    "refused",
                    (0, 0, 0, 0),
                    started,
                    datetime.now(UTC),
                    message=error.message,
                )
                connection.commit()
                raise
    record(
        f"ingest.{landed.source}",
        result.rows_loaded,
        result.seconds,
        book=landed.book,
        as_of=landed.delivery,
        role="loader",
    )
    return result


def load_lines(landed: LandedFile, lines: set[int], *, run_note: str) -> list[int]:
    """Load single lines of a landed file as a batch of their own; returns the lines that were good.

    Their knowledge time is now: nobody knew them before.
    """
    started = time.perf_counter()
    contract = load_contract(landed.source, landed.book)
    names = [name for name, _, _ in contract.raw_columns()]
    now = datetime.now(UTC)
    with connect("loader") as connection:
        _lock(connection, landed)
        _create_stage(connection, contract)
        good: list[int] = []
        with connection.cursor() as cursor, cursor.copy(_copy_statement(names)) as stream:
            for batch in read_batches(open_source_file(landed.path, contract, name=landed.name)):
                checked = validate(batch.filter(pl.col(LINE).is_in(list(lines))), contract).good
                good += checked[LINE].to_list()
                stream.write(_with_hash(checked, names).write_csv(include_header=False).encode())
        if not good:
            return []
        conflicts = {row.line for row in _take_out_conflicts(connection, contract)}
        good = [line for line in good if line not in conflicts]
        sha256 = hashlib.sha256(f"{_sha256(landed)} {sorted(good)} {now}".encode()).hexdigest()
        result = _record(
            connection, landed, contract, sha256, "loaded", (0, 0, 0, 0), started, now, message=run_note
        )
        loaded = _insert(connection, contract, landed.book, result.batch_id, KnownTime(now, False))
        _reconcile(connection, result.batch_id, (len(good), loaded, len(good) - loaded, 0), started)
    return good


def _load(
    connection: psycopg.Connection,
    landed: LandedFile,
    contract: Contract,
    sha256: str,
    started: float,
    progress: Progress | None,
) -> LoadResult:
    _lock(connection, landed)
    known = known_time(connection, contract, landed.book, landed.delivery, now=datetime.now(UTC))
    file = open_source_file(landed.path, contract, name=landed.name)
    names = [name for name, _, _ in contract.raw_columns()]
    _create_stage(connection, contract)
    reading = _Reading()
    with connection.cursor() as cursor, cursor.copy(_copy_statement(names)) as stream:
        for batch in read_batches(file):
            checked = validate(batch, contract)
            reading.rows += len(batch)
            reading.bad += checked.bad
            reading.keys.append(checked.good.select(pl.struct(contract.key).hash()).to_series().to_numpy())
            stream.write(_with_hash(checked.good, names).write_csv(include_header=False).encode())
            if progress is not None:
                progress(landed.name, reading.rows)
    reading.rows += len(file.ragged)
    reading.bad += [ragged_row(line, fields, len(file.header)) for line, fields in file.ragged]
    if reading.has_repeated_keys():
        reading.bad += _take_out_conflicts(connection, contract)
    _refuse_over_limit(landed, contract, reading)
    message = None
    if file.extra_columns:
        message = f"columns not in the contract were left aside: {', '.join(file.extra_columns)}"
    result = _record(
        connection,
        landed,
        contract,
        sha256,
        "loaded",
        (0, 0, 0, 0),
        started,
        known.loaded_at,
        message=message,
    )
    loaded = _insert(connection, contract, landed.book, result.batch_id, known)
    if loaded >= _ANALYZE_FROM_ROWS:
        connection.execute(sql.SQL("analyze raw.{}").format(sql.Identifier(contract.table)))
    counts = (reading.rows, loaded, reading.rows - loaded - len(reading.bad), len(reading.bad))
    _quarantine(connection, landed, result.batch_id, reading.bad)
    seconds = _reconcile(connection, result.batch_id, counts, started)
    return LoadResult(
        result.batch_id, landed.book, landed.source, landed.name, "loaded", *counts, seconds, message
    )


def _lock(connection: psycopg.Connection, landed: LandedFile) -> None:
    """One loader per book and source; times without an offset are the book's."""
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"load {landed.book} {landed.source}",)
    )
    connection.execute(sql.SQL("set local timezone to {}").format(sql.Literal(str(zone(landed.book)))))


def _copy_statement(names: list[str]) -> sql.Composed:
    return sql.SQL("copy stage ({}) from stdin (format csv)").format(
        sql.SQL(", ").join(map(sql.Identifier, ["_row", *names, "_row_hash"]))
    )


def _reconcile(
    connection: psycopg.Connection, batch_id: int, counts: tuple[int, int, int, int], started: float
) -> float:
    """Enter the final counts; PostgreSQL refuses counts that do not add up."""
    seconds = time.perf_counter() - started
    connection.execute(
        "update ops.load_ledger set rows_read = %s, rows_loaded = %s, rows_unchanged = %s,"
        " rows_quarantined = %s, seconds = %s where batch_id = %s",
        (*counts, round(seconds, 4), batch_id),
    )
    return seconds


def _create_stage(connection: psycopg.Connection, contract: Contract) -> None:
    connection.execute("drop table if exists pg_temp.stage")
    connection.execute(
        sql.SQL(
            "create temporary table stage on commit drop as"
            " select {}, _row, _row_hash from raw.{} with no data"
        ).format(
            sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in contract.raw_columns()),
            sql.Identifier(contract.table),
        )
    )


def _with_hash(good: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    text = good.select(
        pl.concat_str([pl.col(name).fill_null("\x1e") for name in names], separator="\x1f")
    ).to_series()
    # SipHash-2-4 over the canonical text; 64 bits, because only rows of one key are compared.
    hashes = hash_array(text.to_numpy(), categorize=False).astype("int64", casting="unsafe")
    return good.select(LINE, *names).with_columns(pl.Series("_row_hash", hashes))


def _key(contract: Contract) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, contract.key))


def _take_out_conflicts(connection: psycopg.Connection, contract: Contract) -> list[BadRow]:
    """Of rows with one key keep the first; exact repeats go silently, others are faults."""
    columns = [name for name, _, _ in contract.raw_columns()]
    removed = connection.execute(
        sql.SQL(
            "with ranked as (select ctid, _row, _row_hash,"
            " first_value(_row) over w as first_row, first_value(_row_hash) over w as first_hash"
            " from stage window w as (partition by {key} order by _row))"
            " delete from stage s using ranked r where s.ctid = r.ctid and r._row > r.first_row"
            " returning s._row, r.first_row, s._row_hash = r.first_hash, {columns}"
        ).format(
            key=_key(contract),
            columns=sql.SQL(", ").join(sql.SQL("s.{}::text").format(sql.Identifier(c)) for c in columns),
        )
    ).fetchall()
    key = ", ".join(contract.key)
    conflicts: list[BadRow] = []
    for line, first, same, *cells in removed:
        if not same:
            shown = dict(zip(columns, cells, strict=True))
            reason = f"repeats the key ({key}) of line {first} with other values"
            value = ", ".join(str(shown.get(name)) for name in contract.key)
            text = pl.DataFrame([shown], schema=dict.fromkeys(columns, pl.String))
            conflicts.append(
                BadRow(
                    line,
                    text.write_csv(include_header=False).rstrip("\n"),
                    [{"column": key, "value": value, "reason": reason}],
                )
            )
    return conflicts


def _refuse_over_limit(landed: LandedFile, contract: Contract, reading: _Reading) -> None:
    limit = contract.bad_row_limit
    if limit is None:
        limit = get_settings().bad_row_limit
    if reading.rows and len(reading.bad) > limit * reading.rows:
        first = min(reading.bad, key=lambda row: row.line)
        reason = first.reasons[0]
        what = f"column {reason['column']}: {reason['value']!r} " if reason["column"] else ""
        raise DataRefusedError(
            f"{landed.name}: {len(reading.bad)} of {reading.rows} rows are bad, over the limit of"
            f" {limit:.2%}; the first is line {first.line}: {what}{reason['reason']}",
            hint="mend the file and deliver it again, or raise bad_row_limit in the contract",
        )


def _insert(
    connection: psycopg.Connection, contract: Contract, book: str, batch_id: int, known: KnownTime
) -> int:
    columns = [name for name, _, _ in contract.raw_columns()]
    table = sql.Identifier(contract.table)
    same_key = sql.SQL(" and ").join(
        sql.SQL("r.{0} = s.{0}").format(sql.Identifier(name)) for name in contract.key
    )
    is_new: sql.Composable = sql.SQL("true")
    filled = connection.execute(
        sql.SQL("select exists (select from raw.{} where book = %s)").format(table), (book,)
    ).fetchone()
    assert filled is not None
    if filled[0]:
        is_new = sql.SQL(
            "(select r._row_hash from raw.{} r where r.book = {} and {} order by r.loaded_at desc,"
            " r._batch_id desc limit 1) is distinct from s._row_hash"
        ).format(table, sql.Literal(book), same_key)
    return connection.execute(
        sql.SQL(
            "insert into raw.{table} ({columns}, book, _batch_id, _row, _row_hash, loaded_at)"
            " select {columns}, {book}, {batch}, _row, _row_hash, {loaded_at} from stage s where {is_new}"
        ).format(
            table=table,
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            book=sql.Literal(book),
            batch=sql.Literal(batch_id),
            loaded_at=_loaded_at(contract, book, known),
            is_new=is_new,
        )
    ).rowcount


def _loaded_at(contract: Contract, book: str, known: KnownTime) -> sql.Composable:
    delivered = sql.Literal(known.loaded_at)
    if not known.is_history:
        return delivered
    if not contract.available:
        return sql.Literal(ALWAYS)
    tz = sql.Literal(str(zone(book)))
    days = [
        sql.SQL("({} at time zone {})::date" if contract.column(name).type == "ts" else "{}").format(
            *([sql.Identifier(name), tz] if contract.column(name).type == "ts" else [sql.Identifier(name)])
        )
        for name in contract.available
    ]
    return sql.SQL(
        "least(((coalesce({}) + 1)::timestamp at time zone {}) - interval '1 microsecond', {})"
    ).format(sql.SQL(", ").join(days), tz, delivered)


def _quarantine(connection: psycopg.Connection, landed: LandedFile, batch_id: int, bad: list[BadRow]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.quarantine (batch_id, book, source, file, line, row_text, reasons)"
            " values (%s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    batch_id,
                    landed.book,
                    landed.source,
                    landed.name,
                    row.line,
                    row.row_text,
                    json.dumps(row.reasons, ensure_ascii=False),
                )
                for row in sorted(bad, key=lambda row: row.line)
            ],
        )


def _loaded_before(
    connection: psycopg.Connection, landed: LandedFile, sha256: str, contract: Contract
) -> int | None:
    """Rows of the same content in the same delivery; in a later one it would be a new statement."""
    row = connection.execute(
        "select rows_read from ops.load_ledger where book = %s and source = %s and sha256 = %s"
        " and delivery_date = %s and contract_version = %s and status = 'loaded' limit 1",
        (landed.book, landed.source, sha256, landed.delivery, contract.version),
    ).fetchone()
    return None if row is None else int(row[0])


def _record(
    connection: psycopg.Connection,
    landed: LandedFile,
    contract: Contract,
    sha256: str,
    status: str,
    counts: tuple[int, int, int, int],
    started: float,
    loaded_at: datetime,
    *,
    message: str | None,
) -> LoadResult:
    seconds = time.perf_counter() - started
    row = connection.execute(
        "insert into ops.load_ledger (book, source, file, sha256, delivery_date, status, rows_read,"
        " rows_loaded, rows_unchanged, rows_quarantined, loaded_at, seconds, contract_version, message,"
        " run_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning batch_id",
        (
            landed.book,
            landed.source,
            landed.name,
            sha256,
            landed.delivery,
            status,
            *counts,
            loaded_at,
            round(seconds, 4),
            contract.version,
            message,
            current_run_id(),
        ),
    ).fetchone()
    assert row is not None
    return LoadResult(row[0], landed.book, landed.source, landed.name, status, *counts, seconds, message)


def _sha256(landed: LandedFile) -> str:
    with landed.path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
