"""Characteristics that a book delivers ready made, as a feature table with the book's own columns.

``features.feat_characteristics_<book>``: one row per customer and observation day, with the version of the
row that was known at the end of that day (domain.md#point-in-time). Its columns are those of the book's
contract, so that no dbt model can declare them; the table is made from the contract whenever the features
are built.
"""

from __future__ import annotations

import time
from datetime import date, datetime

import psycopg
from psycopg import sql

from creditops.books import zone
from creditops.sources.contract import Contract, load_contract

PREFIX = "feat_characteristics_"


def table_of(book: str) -> str:
    """Name of the book's table in the feature schema."""
    return PREFIX + book


def contract_of(book: str) -> Contract | None:
    """The contract of the book's own characteristics, if it declares any."""
    contract = load_contract("characteristics", book)
    return contract if contract.book == book else None


def build_characteristics(
    connection: psycopg.Connection, book: str, as_of: date, known_at: datetime, schema: str = "features"
) -> tuple[str, int, float] | None:
    """Make the book's table anew: its name, rows and seconds; ``None`` where the book declares none.

    Parameters
    ----------
    connection: of role builder.
    known_at: versions learnt later do not count, nor do those learnt after their observation day.
    """
    contract = contract_of(book)
    if contract is None or not _delivered(connection, contract):
        return None
    started = time.perf_counter()
    keys = ("customer_id", "observed_on")
    names = [column.raw_name for column in contract.columns if column.name not in keys]
    table = sql.Identifier(schema, table_of(book))
    with connection.transaction():
        connection.execute(sql.SQL("drop table if exists {}").format(table))
        made = connection.execute(
            sql.SQL(
                "create table {table} as"
                " select book, customer_id, observed_on as observation_date, {names} from ("
                " select *, row_number() over (partition by customer_id, observed_on"
                " order by loaded_at desc, _batch_id desc) as newest from raw.{raw}"
                " where book = {book} and observed_on <= {as_of} and loaded_at <= {known_at}"
                " and (loaded_at at time zone {zone})::date <= observed_on"
                ") as known where newest = 1 and not _deleted order by customer_id, observed_on"
            ).format(
                table=table,
                names=sql.SQL(", ").join(map(sql.Identifier, names)),
                raw=sql.Identifier(contract.table),
                book=sql.Literal(book),
                as_of=sql.Literal(as_of),
                known_at=sql.Literal(known_at),
                zone=sql.Literal(zone(book).key),
            )
        )
        connection.execute(
            sql.SQL("alter table {} add primary key (customer_id, observation_date)").format(table)
        )
        _describe(connection, table, contract)
    connection.execute(sql.SQL("analyze {}").format(table))
    return table_of(book), made.rowcount, time.perf_counter() - started


def _delivered(connection: psycopg.Connection, contract: Contract) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", (f"raw.{contract.table}",)).fetchone()
    return bool(row and row[0])


def _describe(connection: psycopg.Connection, table: sql.Identifier, contract: Contract) -> None:
    for column in contract.columns:
        name = "observation_date" if column.name == "observed_on" else column.raw_name
        text = f"{column.description.en} {column.description.zh}"
        connection.execute(
            sql.SQL("comment on column {}.{} is {}").format(table, sql.Identifier(name), sql.Literal(text))
        )
