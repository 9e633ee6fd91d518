"""Keeps raw tables in step with their contracts, also with one that was written a minute ago.

A new contract makes a table; a column added to a contract is added to its table (null in the rows
already there); a column that may now be empty loses its ``not null``; whole numbers may become numbers
with decimals, which changes no value. Beyond that a table with rows is never re-typed, re-keyed or dropped.
A table without any row follows its contract, whatever that says now.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from creditops.errors import DataRefusedError
from creditops.sources.contract import Contract
from creditops.warehouse import grants
from creditops.warehouse.connection import connect

SPELLED_OUT = {"timestamptz": "timestamp with time zone", "int": "integer"}
_PLATFORM = ("book", "loaded_at")  # and every name that starts with _
# PostgreSQL types that hold every value of another one.
WIDER = {"integer": ("bigint", "double precision", "numeric(18,2)")}


@dataclass(frozen=True)
class Difference:
    """What a raw table lacks of its contract.

    Attributes
    ----------
    missing: the table itself is missing.
    columns: columns to add.
    nullable: columns whose ``not null`` has to go.
    widened: columns of whole numbers whose type becomes a wider one.
    replaced: the table is made anew: it has no row, and another form than its contract.
    """

    missing: bool
    columns: tuple[str, ...] = ()
    nullable: tuple[str, ...] = ()
    widened: tuple[str, ...] = ()
    replaced: bool = False

    def __bool__(self) -> bool:
        return bool(self.missing or self.columns or self.nullable or self.widened or self.replaced)


def ensure_current(contract: Contract) -> Difference:
    """Bring ``raw.<source>`` up to its contract; says what there was to do.

    The owner connects only if something is missing.

    Raises
    ------
    DataRefusedError: the contract re-types a column or has another key than the table, and this has rows.
    """
    with connect("loader") as connection:
        found = difference(connection, contract)
    if not found:
        return found
    with connect("owner") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('creditops.initialise'))")
        return bring_up(connection, contract)


def bring_up(connection: psycopg.Connection, contract: Contract) -> Difference:
    """The same on a connection of the owner, which holds the lock of changes to tables.

    Raises
    ------
    DataRefusedError: as in :func:`ensure_current`; nothing is changed then.
    """
    found = difference(connection, contract)
    table = sql.Identifier("raw", contract.table)
    if found.replaced:
        connection.execute(sql.SQL("lock table {} in access exclusive mode").format(table))
        found = difference(connection, contract)  # whoever was loading into it has ended
    if found.replaced:
        connection.execute(sql.SQL("drop table {}").format(table))
    types = {name: type_ for name, type_, _ in contract.raw_columns()}
    if found.missing or found.replaced:
        _create(connection, contract)
        grants.apply_to_new(connection, "raw", contract.table)
        return found
    _ensure_arrival_index(connection, contract)
    for name in found.columns:
        # The type comes from the contract's own list of types.
        connection.execute(
            sql.SQL("alter table {} add column {} {}").format(
                table,
                sql.Identifier(name),
                _stored(types[name]),
            )
        )
    for name in found.widened:
        connection.execute(
            sql.SQL("alter table {} alter column {} type {}").format(
                table,
                sql.Identifier(name),
                _stored(types[name]),
            )
        )
    for name in found.nullable:
        connection.execute(
            sql.SQL("alter table {} alter column {} drop not null").format(table, sql.Identifier(name))
        )
    return found


def take_back(contract: Contract) -> None:
    """Drop ``raw.<source>`` if it has no row: a refused first load leaves nothing."""
    table = sql.Identifier("raw", contract.table)
    with connect("owner") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('creditops.initialise'))")
        if _columns(connection, contract):
            connection.execute(sql.SQL("lock table {} in access exclusive mode").format(table))
            if _is_empty(connection, contract):
                connection.execute(sql.SQL("drop table {}").format(table))


def difference(connection: psycopg.Connection, contract: Contract) -> Difference:
    """Compare ``raw.<source>`` with its contract.

    Raises
    ------
    DataRefusedError: the contract re-types a column or has another key than the table, and this has rows.
    """
    existing = _columns(connection, contract)
    if not existing:
        return Difference(True)
    declared = {name: (type_, nullable) for name, type_, nullable in contract.raw_columns()}
    widened: list[str] = []
    for name, (type_, _) in declared.items():
        wanted = SPELLED_OUT.get(type_, type_)
        now = existing.get(name, (wanted, None))[0]
        if now == wanted:
            continue
        if wanted in WIDER.get(now, ()) and name not in contract.key:
            widened.append(name)
        elif _is_empty(connection, contract):
            return Difference(False, replaced=True)
        else:
            raise DataRefusedError(
                f"raw.{contract.table}.{name} is {now} but its contract says {type_}",
                hint="a column with rows is never re-typed: give the new form a name of its own (`header`"
                " keeps the file's), or write a contract under a new source name",
            )
    if not _has_key(connection, contract):
        return Difference(False, replaced=True)
    nullable = [
        name
        for name, (_, required) in existing.items()
        if required
        and name not in contract.key
        and name not in _PLATFORM
        and not name.startswith("_")
        and (name not in declared or declared[name][1])
    ]
    added = tuple(name for name in declared if name not in existing)
    return Difference(False, added, tuple(nullable), tuple(widened))


def _columns(connection: psycopg.Connection, contract: Contract) -> dict[str, tuple[str, bool]]:
    """Type and ``not null`` of every column of the table; none where there is no table."""
    found = connection.execute(
        "select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull from pg_attribute a"
        " join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'raw' and c.relname = %s and a.attnum > 0 and not a.attisdropped",
        (contract.table,),
    ).fetchall()
    return {name: (type_, required) for name, type_, required in found}


def _is_empty(connection: psycopg.Connection, contract: Contract) -> bool:
    row = connection.execute(
        sql.SQL("select not exists (select from raw.{})").format(sql.Identifier(contract.table))
    ).fetchone()
    return row is not None and bool(row[0])


def _stored(type_: str) -> sql.Composable:
    """The type as a raw column has it: text sorts by its bytes, and so does all that is made of it.

    Whatever the locale of the database is, the first of two ties is the same (same input, same output).
    """
    return sql.SQL(type_ + ' collate "C"' if type_ == "text" else type_)  # type: ignore[arg-type]


def _create(connection: psycopg.Connection, contract: Contract) -> None:
    definitions = [
        sql.SQL("{} {} {}").format(
            sql.Identifier(name),
            _stored(type_),
            sql.SQL("") if nullable else sql.SQL("not null"),
        )
        for name, type_, nullable in contract.raw_columns()
    ]
    connection.execute(
        sql.SQL(
            "create table raw.{} ({}, book text not null, _batch_id bigint not null,"
            " _row bigint not null, _row_hash bigint not null, loaded_at timestamptz not null,"
            " _deleted boolean not null default false, primary key (book, {}, _batch_id))"
        ).format(
            sql.Identifier(contract.table),
            sql.SQL(", ").join(definitions),
            sql.SQL(", ").join(map(sql.Identifier, contract.key)),
        )
    )
    _ensure_arrival_index(connection, contract)


def _ensure_arrival_index(connection: psycopg.Connection, contract: Contract) -> None:
    """A few pages that find the rows of the newest batches, for builds of what changed."""
    connection.execute(
        sql.SQL(
            "create index if not exists {} on raw.{} using brin (_batch_id, loaded_at)"
            " with (pages_per_range = 16)"
        ).format(sql.Identifier(f"{contract.table}_arrival"), sql.Identifier(contract.table))
    )


def _has_key(connection: psycopg.Connection, contract: Contract) -> bool:
    """Whether the table's key is the contract's; false only for a table without rows."""
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
    if not key or key == set(contract.key):
        return True
    if _is_empty(connection, contract):
        return False
    raise DataRefusedError(
        f"raw.{contract.table} has the key ({', '.join(sorted(key))}) but its contract says"
        f" ({', '.join(contract.key)})",
        hint="the key of a table with rows never changes: write a contract under a new source name",
    )
