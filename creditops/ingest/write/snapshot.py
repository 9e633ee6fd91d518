"""Full snapshots: what was known and is not delivered any more is gone, and gets a tombstone.

A tombstone is a row with the last known values and ``_deleted``; its knowledge time is that of the
snapshot, so that whoever looks at an earlier time still sees the row. A snapshot that would drop more
than a tenth of what is known is more likely cut off than true: it is refused until confirmed.
"""

from __future__ import annotations

import polars as pl
import psycopg
from psycopg import sql

from creditops.errors import DataRefusedError
from creditops.ingest.check.known_time import KnownTime
from creditops.ingest.land.landing import LandedFile
from creditops.ingest.write.binary_rows import binary_rows
from creditops.ingest.write.file_so_far import Reading
from creditops.ingest.write.raw_rows import copy_rows, same_key
from creditops.settings import get_settings
from creditops.sources.contract import Contract


def bury_missing(
    connection: psycopg.Connection,
    landed: LandedFile,
    contract: Contract,
    batch_id: int,
    known: KnownTime,
    reading: Reading,
    *,
    confirmed: bool,
) -> tuple[int, str | None]:
    """Write a tombstone for every key in force that the stage lacks; how many, and a remark.

    A quarantined row is not a missing one: its key stays. If a quarantined row does not even tell its
    key, nothing is buried, because any missing key could be its own.

    Raises
    ------
    DataRefusedError: more than the guard's share would go and nobody has confirmed it.
    """
    if reading.nameless:
        return 0, f"no row was taken as deleted, because {reading.nameless} bad rows do not tell their key"
    _keep_keys_of_bad(connection, contract, reading)
    key = sql.SQL(", ").join(map(sql.Identifier, contract.key))
    columns = sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in contract.raw_columns())
    connection.execute("drop table if exists pg_temp.missing")
    connection.execute(
        sql.SQL(
            "create temporary table missing on commit drop as"
            " with in_force as (select distinct on ({key}) * from raw.{table}"
            "  where book = {book} and loaded_at <= {at}"
            "  order by {key}, loaded_at desc, _batch_id desc)"
            " select i.*, exists (select from stage s where {staged})"
            "  or exists (select from kept k where {kept}) as is_here"
            " from in_force i where not i._deleted"
        ).format(
            key=key,
            table=sql.Identifier(contract.table),
            book=sql.Literal(landed.book),
            at=sql.Literal(known.loaded_at),
            staged=same_key(contract, "i", "s"),
            kept=same_key(contract, "i", "k"),
        )
    )
    row = connection.execute("select count(*), count(*) filter (where not is_here) from missing").fetchone()
    assert row is not None
    in_force, gone = row
    limit = get_settings().snapshot_drop_limit
    if gone > limit * in_force and not confirmed:
        raise DataRefusedError(
            f"{landed.name}: the snapshot lacks {gone} of {in_force} known rows ({gone / in_force:.1%}),"
            f" more than {limit:.0%}",
            hint="if they are gone indeed, load it with `creditops ingest ... --confirm-deletions`;"
            " otherwise deliver the whole snapshot",
        )
    connection.execute(
        sql.SQL(
            "insert into raw.{table} ({columns}, book, _batch_id, _row, _row_hash, loaded_at, _deleted)"
            " select {columns}, book, {batch}, 0, _row_hash, {at}, true from missing where not is_here"
        ).format(
            table=sql.Identifier(contract.table),
            columns=columns,
            batch=sql.Literal(batch_id),
            at=sql.Literal(known.loaded_at),
        )
    )
    return gone, f"{gone} rows are not delivered any more and count as deleted" if gone else None


def _keep_keys_of_bad(connection: psycopg.Connection, contract: Contract, reading: Reading) -> None:
    types = {name: type_ for name, type_, _ in contract.raw_columns()}
    columns = [(name, types[name]) for name in contract.key]
    connection.execute("drop table if exists pg_temp.kept")
    connection.execute(
        sql.SQL("create temporary table kept on commit drop as select {} from raw.{} with no data").format(
            sql.SQL(", ").join(map(sql.Identifier, contract.key)), sql.Identifier(contract.table)
        )
    )
    if reading.keys_of_bad:
        keys = pl.concat(reading.keys_of_bad)
        copy_rows(connection, sql.Identifier("kept"), columns, [binary_rows(keys, columns)])
