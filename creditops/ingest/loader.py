"""Loads one landed file into raw: validate, hash, compare, write, reconcile, in one transaction.

``rows read = loaded + unchanged + quarantined`` holds for every file (:mod:`creditops.ingest.ledger`).
A file is loaded whole or refused whole; the same content loads nothing twice. Reading, validation and
PostgreSQL work side by side.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl
import psycopg
from psycopg import sql

from creditops.books import zone
from creditops.errors import DataRefusedError, ServiceUnreachableError
from creditops.ingest import ledger
from creditops.ingest.known_time import KnownTime, known_time
from creditops.ingest.landing import LandedFile, landed_files
from creditops.ingest.ledger import Counts, LoadResult
from creditops.ingest.pipeline import ahead
from creditops.ingest.raw_rows import (
    copy_rows,
    create_stage,
    encoded,
    insert_changed,
    keep_statistics_fresh,
    raw_columns,
    raw_rows,
    take_out_repeats,
)
from creditops.ingest.reader import LINE, open_source_file, read_batches
from creditops.ingest.reading import Reading
from creditops.ingest.snapshot import bury_missing
from creditops.ingest.validation import validate
from creditops.sources.contract import Contract, Domain, load_contract
from creditops.warehouse.connection import connect
from creditops.warehouse.raw_tables import ensure_current
from creditops.warehouse.run_log import record

__all__ = ["LoadResult", "Progress", "load_delivery", "load_file", "load_lines"]

Progress = Callable[[str, int], None]
Finish = Callable[[psycopg.Connection, list[int]], None]


@dataclass(frozen=True)
class _Load:
    """A file to be loaded and the circumstances of the load."""

    landed: LandedFile
    contract: Contract
    sha256: Future[str]
    started: float
    confirm_deletions: bool = False
    progress: Progress | None = None


def load_delivery(
    book: str,
    delivery: date,
    domain: Domain,
    *,
    progress: Progress | None = None,
    confirm_deletions: bool = False,
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
            results.append(load_file(landed, progress=progress, confirm_deletions=confirm_deletions))
        except DataRefusedError as error:
            refused.append(error)
    if refused:
        raise DataRefusedError("; ".join(error.message for error in refused), hint=refused[0].hint)
    return results


def load_file(
    landed: LandedFile, *, progress: Progress | None = None, confirm_deletions: bool = False
) -> LoadResult:
    """Load one landed file.

    Parameters
    ----------
    confirm_deletions: load a full snapshot even if it lacks more rows than the guard allows.

    Raises
    ------
    DataRefusedError: the file breaks its contract (encoding, columns, more bad rows than the
        limit, a snapshot that lacks too much); the refusal is in the ledger, raw is as before.
    ServiceUnreachableError: PostgreSQL went away; raw is as before, or the load is complete.
    """
    contract = load_contract(landed.source, landed.book)
    ensure_current(contract)
    with ThreadPoolExecutor(1, "sha256") as executor:
        load = _Load(
            landed,
            contract,
            executor.submit(_sha256, landed),
            time.perf_counter(),
            confirm_deletions,
            progress,
        )
        with _lost_connection_explained(landed.name), connect("loader") as connection:
            try:
                with connection.transaction():
                    result = _load_or_find(connection, load)
            except DataRefusedError as error:
                _record_refusal(connection, load, error)
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


def load_lines(landed: LandedFile, lines: set[int], *, run_note: str, finish: Finish) -> list[int]:
    """Load single lines of a landed file as a batch of their own; returns the lines that were good.

    Their knowledge time is now: nobody knew them before. ``finish`` is called with the good lines in
    the transaction of the load.
    """
    started = time.perf_counter()
    contract = load_contract(landed.source, landed.book)
    ensure_current(contract)
    known = KnownTime(datetime.now(UTC), False)
    with _lost_connection_explained(landed.name), connect("loader") as connection, connection.transaction():
        _lock(connection, landed)
        batch_id = ledger.open_entry(connection, landed, contract, "loaded", known.loaded_at)
        reading = Reading(contract)
        good: list[int] = []
        chosen = list(lines)

        def frames() -> Iterator[memoryview]:
            for batch in read_batches(open_source_file(landed.path, contract, name=landed.name)):
                checked = validate(
                    batch.filter(pl.col(LINE).is_in(chosen)), contract, zone=str(zone(landed.book))
                )
                good.extend(checked.good[LINE].to_list())
                reading.take(checked, 0)
                yield encoded(raw_rows(checked.good, contract, landed.book, batch_id, known), contract)

        create_stage(connection, contract)
        copy_rows(connection, sql.Identifier("stage"), raw_columns(contract), frames())
        conflicts = {row.line for row in take_out_repeats(connection, contract)}
        good = [line for line in good if line not in conflicts]
        if not good:
            connection.execute("delete from ops.load_ledger where batch_id = %s", (batch_id,))
            return []
        loaded = insert_changed(connection, contract, landed.book)
        ledger.close_entry(
            connection,
            batch_id,
            landed,
            "loaded",
            hashlib.sha256(f"{_sha256(landed)} {sorted(good)} {known.loaded_at}".encode()).hexdigest(),
            Counts(len(good), loaded, len(good) - loaded, 0),
            time.perf_counter() - started,
            message=run_note,
            breaches=reading.breaches,
        )
        finish(connection, good)
    return good


def _load_or_find(connection: psycopg.Connection, load: _Load) -> LoadResult:
    landed, contract = load.landed, load.contract
    _lock(connection, landed)
    has_rows = ledger.has_raw_rows(connection, contract, landed.book)
    if has_rows:
        # Only then is it worth waiting for the hash before reading.
        repeat = ledger.rows_loaded_before(connection, landed, load.sha256.result(), contract)
        if repeat is not None:
            batch_id = ledger.open_entry(connection, landed, contract, "repeat", datetime.now(UTC))
            return _close(
                connection,
                load,
                batch_id,
                "repeat",
                Counts(repeat, 0, repeat, 0),
                message="the same content was loaded before",
            )
    known = known_time(connection, contract, landed.book, landed.delivery, now=datetime.now(UTC))
    if not has_rows and contract.delivery.mode != "changes":
        try:
            with connection.transaction():
                return _write(connection, load, known, staged=False)
        except psycopg.errors.UniqueViolation:
            pass  # the file repeats a key: compare its rows with each other
    result = _write(connection, load, known, staged=True)
    if result.rows_loaded or result.rows_deleted:
        _apply_later_again(connection, load, known)
    return result


def _write(
    connection: psycopg.Connection, load: _Load, known: KnownTime, *, staged: bool, note: str | None = None
) -> LoadResult:
    landed, contract = load.landed, load.contract
    batch_id = ledger.open_entry(connection, landed, contract, "loaded", known.loaded_at)
    reading = Reading(contract)
    frames = _frames(load, known, batch_id, reading)
    if staged:
        create_stage(connection, contract)
        copy_rows(connection, sql.Identifier("stage"), raw_columns(contract), frames)
        if reading.has_repeated_keys():
            reading.bad += take_out_repeats(connection, contract)
    else:
        copy_rows(connection, sql.Identifier("raw", contract.table), raw_columns(contract), frames)
    reading.refuse_if_unfit(landed)
    deleted = 0
    if staged and contract.delivery.mode == "snapshot":
        deleted, said = bury_missing(
            connection, landed, contract, batch_id, known, reading, confirmed=load.confirm_deletions
        )
        note = "; ".join(filter(None, (note, said))) or None
    loaded = insert_changed(connection, contract, landed.book) if staged else reading.good
    keep_statistics_fresh(connection, contract, loaded)
    ledger.quarantine_rows(connection, landed, batch_id, reading.bad)
    unchanged = reading.rows - loaded - len(reading.bad)
    return _close(
        connection,
        load,
        batch_id,
        "loaded",
        Counts(reading.rows, loaded, unchanged, len(reading.bad), deleted),
        message="; ".join(filter(None, (note, reading.remark))) or None,
        reading=reading,
    )


def _frames(load: _Load, known: KnownTime, batch_id: int, reading: Reading) -> Iterable[memoryview]:
    """Encoded good rows, made in two threads beside the one that sends them."""
    landed, contract = load.landed, load.contract
    home = str(zone(landed.book))
    file = open_source_file(landed.path, contract, name=landed.name)

    def frames() -> Iterator[memoryview]:
        for batch in ahead(read_batches(file)):
            checked = validate(batch, contract, zone=home)
            reading.take(checked, len(batch))
            yield encoded(raw_rows(checked.good, contract, landed.book, batch_id, known), contract)
            if load.progress is not None:
                load.progress(landed.name, reading.rows)
        reading.end(file)

    return ahead(frames())


def _apply_later_again(connection: psycopg.Connection, load: _Load, known: KnownTime) -> None:
    """After a file that came out of order: what later deliveries said holds again behind it.

    A later delivery that said the same as the version before it left no row. Now that another version
    stands between, its rows are compared once more, so that files give the same end in any order.
    """
    for later in ledger.later_deliveries(connection, load.landed, known.loaded_at):
        again = _Load(later.file, load.contract, Future(), time.perf_counter(), confirm_deletions=True)
        if not later.file.path.is_file() or _sha256(later.file) != later.sha256:
            continue
        again.sha256.set_result(later.sha256)
        history = load.contract.delivery.history and later.was_first
        note = f"compared again after {load.landed.name}"
        with connection.transaction(force_rollback=False) as savepoint:
            result = _write(connection, again, KnownTime(later.loaded_at, history), staged=True, note=note)
            if not result.rows_loaded and not result.rows_deleted:
                raise psycopg.Rollback(savepoint)


def _close(
    connection: psycopg.Connection,
    load: _Load,
    batch_id: int,
    status: str,
    counts: Counts,
    *,
    message: str | None,
    reading: Reading | None = None,
) -> LoadResult:
    return ledger.close_entry(
        connection,
        batch_id,
        load.landed,
        status,
        load.sha256.result(),
        counts,
        time.perf_counter() - load.started,
        message=message,
        breaches=reading.breaches if reading else None,
    )


def _record_refusal(connection: psycopg.Connection, load: _Load, error: DataRefusedError) -> None:
    with connection.transaction():
        batch_id = ledger.open_entry(
            connection, load.landed, load.contract, "refused", datetime.now(UTC), message=error.message
        )
        _close(connection, load, batch_id, "refused", ledger.NOTHING, message=error.message)


def _lock(connection: psycopg.Connection, landed: LandedFile) -> None:
    """One loader per book and source."""
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"load {landed.book} {landed.source}",)
    )


def _sha256(landed: LandedFile) -> str:
    with landed.path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def _lost_connection_explained(name: str) -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        raise ServiceUnreachableError(
            f"{name}: PostgreSQL went away while the file was loaded: {str(error).splitlines()[0]}",
            hint="start it again (`creditops up`) and load the file again: it is loaded whole or not at all",
        ) from error
