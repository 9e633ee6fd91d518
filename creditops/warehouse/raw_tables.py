"""Keeps raw tables in step with their contracts, also with one that was written a minute ago.

A new contract makes a table; a column added to a contract is added to its table (null in the rows
already there); a column that may now be empty loses its ``not null``. Nothing is ever re-typed,
re-keyed or dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from creditops.errors import DataRefusedError
from creditops.sources.contract import Contract
from creditops.warehouse.connection import connect

_SPELLED_OUT = {"timestamptz": "timestamp with time zone"}
_PLATFORM = ("book", "loaded_at")  # and every name that starts with _


@dataclass(frozen=True)
class Difference:
    """What a raw table lacks of its contract.

    Attributes
    ----------
    missing: the table itself is missing.
    columns: columns to add.
    nullable: columns whose ``not null`` has to go.
    """

    missing: bool
    columns: tuple[str, ...] = ()
    nullable: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.columns or self.nullable)


def ensure_current(contract: Contract) -> Difference:
    """Bring ``raw.<source>`` up to its contract; says what there was to do.

    The owner connects only if something is missing.

    Raises
    ------
    DataRefusedError: the contract re-types a column or has another key than the table.
    """
    with connect("loader") as connection:
        found = difference(connection, contract)
    if not found:
        return found
    from creditops.warehouse.schema import ensure_raw_table

    with connect("owner") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('creditops.initialise'))")
        found = difference(connection, contract)
        ensure_raw_table(connection, contract)
        table = sql.Identifier("raw", contract.table)
        for name in found.nullable:
            connection.execute(
                sql.SQL("alter table {} alter column {} drop not null").format(table, sql.Identifier(name))
            )
        if found.missing:
            _grant(connection, table)
    return found


def difference(connection: psycopg.Connection, contract: Contract) -> Difference:
    """Compare ``raw.<source>`` with its contract.

    Raises
    ------
    DataRefusedError: the contract re-types a column or has another key than the table.
    """
    existing = {
        name: (type_, required)
        for name, type_, required in connection.execute(
            "select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull from pg_attribute a"
            " join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'raw' and c.relname = %s and a.attnum > 0 and not a.attisdropped",
            (contract.table,),
        ).fetchall()
    }
    if not existing:
        return Difference(True)
    declared = {name: (type_, nullable) for name, type_, nullable in contract.raw_columns()}
    for name, (type_, _) in declared.items():
        now = existing.get(name, (None, None))[0]
        if now is not None and now.replace(" ", "") != _SPELLED_OUT.get(type_, type_).replace(" ", ""):
            raise DataRefusedError(
                f"raw.{contract.table}.{name} is {now} but its contract says {type_}",
                hint="a column is never re-typed: give the new form a name of its own (`header` keeps the"
                " file's), or write a contract under a new source name",
            )
    _check_key(connection, contract)
    nullable = [
        name
        for name, (_, required) in existing.items()
        if required
        and name not in contract.key
        and name not in _PLATFORM
        and not name.startswith("_")
        and (name not in declared or declared[name][1])
    ]
    return Difference(False, tuple(name for name in declared if name not in existing), tuple(nullable))


def _check_key(connection: psycopg.Connection, contract: Contract) -> None:
    key = {
        name
        for (name,) in connection.execute(
            "select a.attname from pg_index i join pg_class c on c.oid = i.indrelid"
            " join pg_namespace n on n.oid = c.relnamespace"
            " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)"
            " where i.indisprimary and n.nspname = 'raw' and c.relname = %s",
            (contract.table,),
        ).fetchall()
        if name not in _PLATFORM and not name.startswith("_")
    }
    if key and key != set(contract.key):
        raise DataRefusedError(
            f"raw.{contract.table} has the key ({', '.join(sorted(key))}) but its contract says"
            f" ({', '.join(contract.key)})",
            hint="a key never changes: write a contract under a new source name",
        )


def _grant(connection: psycopg.Connection, table: sql.Identifier) -> None:
    connection.execute(
        sql.SQL("grant select, insert, delete on {0} to loader; grant select on {0} to builder").format(table)
    )
    if connection.info.server_version >= 170000:  # before 17 only an owner may analyse
        connection.execute(sql.SQL("grant maintain on {} to loader").format(table))
