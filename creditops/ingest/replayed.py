"""Loads single lines of a landed file again: quarantined ones, after the contract or the file was mended."""

from __future__ import annotations

import csv
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from creditops import clock
from creditops.books import currency, today, zone
from creditops.ingest.check.known_time import KnownTime
from creditops.ingest.check.masking import shown
from creditops.ingest.check.privacy import hash_series
from creditops.ingest.check.validation import validate
from creditops.ingest.land.landing import LandedFile
from creditops.ingest.write import ledger
from creditops.ingest.write.file_so_far import Reading
from creditops.ingest.write.ledger import Counts
from creditops.ingest.write.raw_rows import (
    copy_rows,
    create_stage,
    encoded,
    insert_changed,
    raw_columns,
    raw_rows,
    take_out_repeats,
)
from creditops.ingest.write.session import loader_connection, lock_source, sha256_of
from creditops.reading.reader import LINE, open_source_file, read_batches
from creditops.sources.contract import Contract, load_contract
from creditops.warehouse.raw_tables import ensure_current

Finish = Callable[[psycopg.Connection, list[int]], None]
KeyCells = Mapping[str, str]
"""Cells of a row's business key as the quarantine shows them, those that were not at fault."""


def load_lines(
    landed: LandedFile, lines: Mapping[int, KeyCells], *, run_note: str, finish: Finish
) -> list[int]:
    """Load single lines of a landed file as a batch of their own; returns the lines that were good.

    Their knowledge time is now: nobody knew them before.

    Parameters
    ----------
    lines: per line the key's cells that the row had, where they were good. A line on which another
        key stands now is another row (the file was replaced) and is left alone.
    finish: called with the good lines in the transaction of the load.
    """
    started = time.perf_counter()
    contract = load_contract(landed.source, landed.book)
    ensure_current(contract)
    known = KnownTime(clock.now(), False)
    with loader_connection(landed) as connection, connection.transaction() as transaction:
        lock_source(connection, landed)
        batch_id = ledger.open_entry(connection, landed, contract, "loaded", known.loaded_at)
        reading = Reading(contract, str(zone(landed.book)))
        good: list[int] = []
        chosen = list(lines)

        def frames() -> Iterator[memoryview]:
            file = open_source_file(landed.path, contract, name=landed.name, delivery=landed.delivery)
            for batch in read_batches(file):
                rows = _same_rows(batch.filter(pl.col(LINE).is_in(chosen)), contract, lines)
                checked = validate(
                    rows,
                    contract,
                    zone=str(zone(landed.book)),
                    currency=currency(landed.book),
                    delivery=today(landed.book),  # by which what lay ahead may have happened
                )
                good.extend(checked.good[LINE].to_list())
                reading.take(checked, 0)
                yield encoded(raw_rows(checked.good, contract, landed.book, batch_id, known), contract)

        create_stage(connection, contract)
        copy_rows(connection, sql.Identifier("stage"), raw_columns(contract), frames())
        conflicts = {row.line for row in take_out_repeats(connection, contract)}
        good = [line for line in good if line not in conflicts]
        if not good:
            raise psycopg.Rollback(transaction)
        loaded = insert_changed(connection, contract, landed.book)
        ledger.close_entry(
            connection,
            batch_id,
            landed,
            "loaded",
            hashlib.sha256(f"{sha256_of(landed)} {sorted(good)} {known.loaded_at}".encode()).hexdigest(),
            Counts(len(good), loaded, len(good) - loaded, 0),
            time.perf_counter() - started,
            message=run_note,
            breaches=reading.breaches,
            covers=reading.covers,
        )
        finish(connection, good)
    return good


def key_cells(row: Mapping[str, Any], contract: Contract) -> KeyCells:
    """The key of a quarantined row (``row_text`` and ``reasons`` of ``ops.quarantine``)."""
    cells = next(csv.reader([row["row_text"]]), [])
    at_fault = {each["column"] for each in row["reasons"]}
    told = dict(zip((column.name for column in contract.columns), cells, strict=False))
    return {name: told[name] for name in contract.key if told.get(name) and name not in at_fault}


def _same_rows(batch: pl.DataFrame, contract: Contract, lines: Mapping[int, KeyCells]) -> pl.DataFrame:
    """The rows of ``batch`` whose key is still that of their line."""
    keys = batch.select(
        pl.col(LINE),
        *(
            hash_series(batch[name], contract.column(name).pii).alias(name)
            if contract.column(name).is_hashed
            else shown(batch[name])
            for name in contract.key
        ),
    )
    same = [
        all(row[name] == cell for name, cell in lines[row[LINE]].items())
        for row in keys.iter_rows(named=True)
    ]
    return batch.filter(pl.Series(same, dtype=pl.Boolean))
