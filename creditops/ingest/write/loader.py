"""Loads one landed file into raw: validate, hash, compare, write, reconcile, in one transaction.

``rows read = loaded + unchanged + quarantined`` holds for every file (:mod:`creditops.ingest.write.ledger`).
A file is loaded whole or refused whole; the same content loads nothing twice. Reading, validation and
PostgreSQL work side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg import sql

from creditops import clock
from creditops.books import currency, zone
from creditops.errors import DataRefusedError
from creditops.ingest.check.aside import keep_aside
from creditops.ingest.check.known_time import KnownTime, known_time
from creditops.ingest.check.validation import validate
from creditops.ingest.land.landing import LandedFile, landed_files
from creditops.ingest.write import ledger
from creditops.ingest.write.file_so_far import Reading
from creditops.ingest.write.ledger import Counts, LaterDelivery, LoadResult
from creditops.ingest.write.raw_rows import (
    copy_rows,
    create_stage,
    encoded,
    insert_changed,
    keep_statistics_fresh,
    raw_columns,
    raw_rows,
    take_out_repeats,
)
from creditops.ingest.write.session import loader_connection, lock_source, sha256_of
from creditops.ingest.write.snapshot import bury_missing
from creditops.reading.pipeline import ahead
from creditops.reading.reader import open_source_file, read_batches
from creditops.sources.contract import Contract, Domain, load_contract, sources_of
from creditops.warehouse.raw_tables import ensure_current, take_back
from creditops.warehouse.run_log import record

__all__ = ["LoadResult", "Progress", "load_delivery", "load_file", "load_files"]

Progress = Callable[[str, int], None]


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
    files = landed_files(book, delivery, set(sources_of(domain)))
    return load_files(files, progress=progress, confirm_deletions=confirm_deletions)


def load_files(
    files: Iterable[LandedFile], *, progress: Progress | None = None, confirm_deletions: bool = False
) -> list[LoadResult]:
    """Load landed files one after the other, each on its own.

    Raises
    ------
    DataRefusedError: a file was refused; files beside it are loaded all the same.
    """
    results: list[LoadResult] = []
    refused: list[DataRefusedError] = []
    for landed in files:
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
    is_new = ensure_current(contract).missing
    with ThreadPoolExecutor(1, "sha256") as executor:
        load = _Load(
            landed,
            contract,
            executor.submit(sha256_of, landed),
            time.perf_counter(),
            confirm_deletions,
            progress,
        )
        with loader_connection(landed) as connection:
            try:
                with connection.transaction():
                    result = _load_or_find(connection, load)
            except DataRefusedError as error:
                _record_refusal(connection, load, error)
                if is_new:
                    take_back(contract)
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


def _load_or_find(connection: psycopg.Connection, load: _Load) -> LoadResult:
    landed, contract = load.landed, load.contract
    lock_source(connection, landed)
    withdrawn_by = ledger.withdrawal_of(connection, landed, load.sha256.result, landed.came())
    if withdrawn_by is not None:
        said = f"it was withdrawn by batch {withdrawn_by}; ingest it again to load it"
        batch_id = ledger.open_entry(connection, landed, contract, "not_taken", clock.now())
        return _close(connection, load, batch_id, "not_taken", ledger.NOTHING, message=said)
    has_rows = ledger.has_raw_rows(connection, contract, landed.book)
    if has_rows:
        # Only then is it worth waiting for the hash before reading.
        repeat = ledger.rows_loaded_before(connection, landed, load.sha256.result(), contract)
        if repeat is not None:
            batch_id = ledger.open_entry(connection, landed, contract, "repeat", clock.now())
            return _close(
                connection,
                load,
                batch_id,
                "repeat",
                Counts(repeat, 0, repeat, 0),
                message="the same content was loaded before",
            )
    known = known_time(connection, contract, landed.book, landed.delivery, now=clock.now())
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
    is_first = not ledger.has_raw_rows(connection, contract, landed.book)
    reading = Reading(contract, str(zone(landed.book)), is_first=is_first)
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
    if reading.file is not None:
        keep_aside(connection, batch_id, reading.file)
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
    home, money = str(zone(landed.book)), currency(landed.book)
    file = open_source_file(landed.path, contract, name=landed.name, delivery=landed.delivery)

    def frames() -> Iterator[memoryview]:
        for batch in ahead(read_batches(file)):
            checked = validate(batch, contract, zone=home, currency=money, delivery=landed.delivery)
            reading.take(checked, len(batch))
            yield encoded(raw_rows(checked.good, contract, landed.book, batch_id, known), contract)
            if load.progress is not None:
                load.progress(landed.name, reading.rows)
        reading.end(file)

    return ahead(frames())


def compare_again(
    connection: psycopg.Connection,
    landed: LandedFile,
    contract: Contract,
    batch_id: int,
    known_from: datetime | None,
) -> list[str]:
    """After a batch was withdrawn: what later loads of its source said is compared once more.

    Parameters
    ----------
    known_from: when the withdrawal counts as known; ``None`` where it does with the batch itself.

    Returns
    -------
    Names of files that are gone, or others by now.
    """
    unknown: list[str] = []
    for later in ledger.loads_after(connection, landed, batch_id):
        if not later.file.path.is_file() or sha256_of(later.file) != later.sha256:
            unknown.append(later.file.name)
            continue
        known = KnownTime(max(later.loaded_at, known_from or later.loaded_at), False)
        _compare(connection, contract, later, known, f"compared again after batch {batch_id} was withdrawn")
    return unknown


def _apply_later_again(connection: psycopg.Connection, load: _Load, known: KnownTime) -> None:
    """After a file that came out of order: what later deliveries said holds again behind it.

    A later delivery that said the same as the version before it left no row. Now that another version
    stands between, its rows are compared once more, so that files give the same end in any order.
    """
    for later in ledger.later_deliveries(connection, load.landed, known.loaded_at):
        if not later.file.path.is_file() or sha256_of(later.file) != later.sha256:
            continue
        history = load.contract.delivery.history and later.was_first
        said = f"compared again after {load.landed.name}"
        _compare(connection, load.contract, later, KnownTime(later.loaded_at, history), said)


def _compare(
    connection: psycopg.Connection, contract: Contract, later: LaterDelivery, known: KnownTime, said: str
) -> None:
    """Load what a file says anew; nothing stays of it where all is known."""
    again = _Load(later.file, contract, Future(), time.perf_counter(), confirm_deletions=True)
    again.sha256.set_result(later.sha256)
    with connection.transaction() as savepoint:
        result = _write(connection, again, known, staged=True, note=said)
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
        covers=reading.covers if reading else None,
    )


def _record_refusal(connection: psycopg.Connection, load: _Load, error: DataRefusedError) -> None:
    with connection.transaction():
        batch_id = ledger.open_entry(
            connection, load.landed, load.contract, "refused", clock.now(), message=error.message
        )
        _close(connection, load, batch_id, "refused", ledger.NOTHING, message=error.message)
