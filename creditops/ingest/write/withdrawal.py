"""Takes a wrong load back: from now on as if it had never been known, while what was known then remains.

Raw stays append-only. Each key that the batch spoke of gets one more row: its values by the batches that
stand, or a tombstone where none of them names it. The row counts as learnt now; where no publication covers
the delivery yet, with the row that it takes back, since nobody has seen a figure of it
(domain.md#point-in-time). What later files said again is compared once more, because it left no row while
the withdrawn one stood. The file in the landing zone is not loaded again unless it is landed again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from creditops import clock
from creditops.errors import UsageError
from creditops.ingest.check.known_time import is_published
from creditops.ingest.land.landing import LandedFile
from creditops.ingest.write import ledger
from creditops.ingest.write.ledger import Counts, LoadResult
from creditops.ingest.write.loader import compare_again
from creditops.ingest.write.raw_rows import same_key
from creditops.ingest.write.session import loader_connection, lock_source
from creditops.settings import get_settings
from creditops.sources.contract import Contract, load_contract
from creditops.warehouse import audit
from creditops.warehouse.connection import connect
from creditops.warehouse.raw_tables import ensure_current


@dataclass(frozen=True)
class _Batch:
    batch_id: int
    book: str
    source: str
    file: str
    sha256: str
    delivery_date: date
    status: str
    withdrawn_by: int | None


def withdraw(batch_id: int, *, reason: str, actor: str) -> LoadResult:
    """Withdraw a loaded batch, with what was compared again of the same file; its line in the ledger.

    Rows of it that are still in quarantine are discarded.

    Raises
    ------
    UsageError: there is no such batch, it loaded nothing, it is withdrawn already, or no reason is given.
    """
    started = time.perf_counter()
    if not reason.strip():
        raise UsageError("a withdrawal needs a reason", hint='write --reason "..."')
    batch = _find(batch_id)
    landed = LandedFile(get_settings().landing / batch.file, batch.book, batch.source, batch.delivery_date)
    contract = load_contract(batch.source, batch.book)
    ensure_current(contract)
    with loader_connection(landed) as connection, connection.transaction():
        lock_source(connection, landed)
        _check_open(_find(batch_id))
        late = is_published(connection, batch.book, batch.delivery_date)
        now = clock.now()
        entry = ledger.open_entry(connection, landed, contract, "withdrawal", now)
        taken = ledger.mark_withdrawn(connection, landed, batch.sha256, batch_id, entry)
        known_from = now if late else None
        rows, rounds = _find_what_stands(connection, contract, batch.book, taken, known_from)
        said = [f"withdraws batch {batch_id}: {reason}"]
        back, gone = _put_back(connection, contract, batch.book, entry, 1)
        # Raw holds one row per key and batch: where a key is put back at several times, each has its own.
        for number in range(2, rounds + 1):
            more = ledger.open_entry(connection, landed, contract, "withdrawal", now)
            ledger.mark_withdrawn(connection, landed, batch.sha256, batch_id, more)
            counts = _put_back(connection, contract, batch.book, more, number)
            again = Counts(sum(counts), sum(counts), 0, 0, counts[1])
            ledger.close_entry(
                connection, more, landed, "withdrawal", batch.sha256, again, 0.0, message=said[0]
            )
        _discard_quarantine(connection, taken, actor, reason)
        unknown = compare_again(connection, landed, contract, batch_id, known_from)
        if unknown:
            said.append(
                f"what {', '.join(unknown)} repeated of it is not known again, since the file is gone or"
                " another one: ingest it again"
            )
        result = ledger.close_entry(
            connection,
            entry,
            landed,
            "withdrawal",
            batch.sha256,
            Counts(rows, back + gone, rows - back - gone, 0, gone),
            time.perf_counter() - started,
            message="; ".join(said),
        )
        what = f"batch {batch_id}"
        after = {"withdrawn_by": entry}
        audit.append(connection, actor, "ledger.withdrawn", what, before="loaded", after=after, reason=reason)
    return result


def _find(batch_id: int) -> _Batch:
    with connect("loader") as connection, connection.cursor(row_factory=class_row(_Batch)) as cursor:
        batch = cursor.execute(
            "select batch_id, book, source, file, sha256, delivery_date, status, withdrawn_by"
            " from ops.load_ledger where batch_id = %s",
            (batch_id,),
        ).fetchone()
    if batch is None:
        raise UsageError(f"there is no batch {batch_id}", hint="see `creditops ledger`")
    _check_open(batch)
    return batch


def _check_open(batch: _Batch) -> None:
    if batch.status != "loaded":
        raise UsageError(
            f"batch {batch.batch_id} is {batch.status}: it brought no rows to take back",
            hint="name a batch of status `loaded`; see `creditops ledger`",
        )
    if batch.withdrawn_by is not None:
        raise UsageError(
            f"batch {batch.batch_id} is withdrawn already, by batch {batch.withdrawn_by}",
            hint="to have its rows again ingest the file again",
        )


def _find_what_stands(
    connection: psycopg.Connection,
    contract: Contract,
    book: str,
    batches: list[int],
    known_from: datetime | None,
) -> tuple[int, int]:
    """Temporary table ``put_back``: what holds of each key of the batches without them.

    A row where that differs from what raw shows, at each time that they speak of; ``round`` counts these.

    Returns
    -------
    Rows of the batches, and the most times of a key.
    """
    names = [name for name, _, _ in contract.raw_columns()]
    table = sql.Identifier(contract.table)
    version = sql.SQL(
        "select v.* from raw.{} v where v.book = {} and {} and v.loaded_at <= places.at"
    ).format(table, sql.Literal(book), same_key(contract, "v", "places"))
    newest = sql.SQL(" order by v.loaded_at desc, v._batch_id desc limit 1")
    connection.execute("drop table if exists pg_temp.put_back")
    connection.execute(
        sql.SQL(
            "create temporary table put_back on commit drop as"
            " with out_of_force as (select batch_id from ops.load_ledger where book = {book}"
            "  and source = {source} and (withdrawn_by is not null or status = 'withdrawal')),"
            " keys as (select distinct {key} from raw.{table}"
            "  where book = {book} and _batch_id = any({batches})),"
            # An earlier withdrawal may have put back what this one takes away.
            " places as (select distinct {key}, greatest(loaded_at, {known}) as at"
            "  from raw.{table} join keys using ({key}) where book = {book} and (_batch_id = any({batches})"
            "  or _batch_id in (select batch_id from ops.load_ledger where book = {book}"
            "   and source = {source} and status = 'withdrawal')))"
            " select {values}, row_number() over (partition by {placed} order by places.at) as round,"
            "  coalesce(standing._row_hash, shown._row_hash) as _row_hash,"
            "  places.at as loaded_at, coalesce(standing._deleted, true) as _deleted"
            " from places cross join lateral ({version} {newest}) as shown"
            " left join lateral ({version} and v._batch_id not in (select batch_id from out_of_force)"
            "  {newest}) as standing on true"
            " where coalesce(standing._deleted, true) <> shown._deleted"
            "  or (not shown._deleted and standing._row_hash <> shown._row_hash)"
        ).format(
            book=sql.Literal(book),
            source=sql.Literal(contract.source),
            key=sql.SQL(", ").join(map(sql.Identifier, contract.key)),
            placed=sql.SQL(", ").join(sql.Identifier("places", name) for name in contract.key),
            known=sql.Literal(known_from),
            table=table,
            batches=sql.Literal(batches),
            version=version,
            newest=newest,
            values=sql.SQL(", ").join(
                sql.SQL(
                    "case when standing._batch_id is null then shown.{0} else standing.{0} end as {0}"
                ).format(sql.Identifier(name))
                for name in names
            ),
        )
    )
    row = connection.execute(
        sql.SQL(
            "select (select count(*) from raw.{} where book = %s and _batch_id = any(%s)),"
            " (select coalesce(max(round), 0) from put_back)"
        ).format(table),
        (book, batches),
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _put_back(
    connection: psycopg.Connection, contract: Contract, book: str, entry: int, number: int
) -> tuple[int, int]:
    """Write a round of ``put_back`` as a batch: keys with their values of before again, and keys gone."""
    columns = sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in contract.raw_columns())
    gone = connection.execute(
        sql.SQL(
            "insert into raw.{} ({columns}, book, _batch_id, _row, _row_hash, loaded_at, _deleted)"
            " select {columns}, {}, {}, 0, _row_hash, loaded_at, _deleted from put_back where round = {}"
            " returning _deleted"
        ).format(
            sql.Identifier(contract.table),
            sql.Literal(book),
            sql.Literal(entry),
            sql.Literal(number),
            columns=columns,
        )
    ).fetchall()
    deleted = sum(each for (each,) in gone)
    return len(gone) - deleted, deleted


def _discard_quarantine(connection: psycopg.Connection, batches: list[int], actor: str, reason: str) -> None:
    connection.execute(
        "update ops.quarantine set status = 'discarded', closed_at = clock_timestamp(), closed_by = %s,"
        " closed_reason = %s where batch_id = any(%s) and status = 'open'",
        (actor, f"the batch is withdrawn: {reason}", batches),
    )
