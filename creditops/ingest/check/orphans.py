"""Lists rows that refer to something no delivery of the book has brought (an orphan).

An orphan is loaded: its partner may arrive tomorrow. It is listed here, to the row, as long as the
partner is missing. What refers to what is said by ``relationships`` of the source contracts.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row

from creditops.books import check_book
from creditops.errors import UsageError
from creditops.sources.contract import Contract, Relationship, load_contracts
from creditops.warehouse.connection import connect


@dataclass(frozen=True)
class Orphan:
    """One loaded row without its partner.

    Attributes
    ----------
    file, line: where the row came from.
    columns, value: what it refers with; several columns are joined by a comma.
    missing_in: source that has no such row.
    """

    source: str
    file: str
    line: int
    columns: str
    value: str
    missing_in: str


def list_orphans(book: str, source: str | None = None) -> list[Orphan]:
    """Orphans of a book, or of one of its sources, by source, relationship, file and line.

    Raises
    ------
    UsageError: there is no source of that name.
    """
    contracts = load_contracts(check_book(book))
    if source is not None and source not in contracts:
        raise UsageError(f"there is no source {source!r}", hint=f"sources are {', '.join(contracts)}")
    found: list[Orphan] = []
    with connect("loader") as connection:
        connection.read_only = True
        with connection.cursor(row_factory=class_row(Orphan)) as cursor:
            for contract in [contracts[source]] if source else contracts.values():
                for relationship in contract.relationships:
                    parent = contracts[relationship.to]
                    cursor.execute(_query(contract, relationship, parent), {"book": book})
                    found += cursor.fetchall()
    return found


def _query(contract: Contract, relationship: Relationship, parent: Contract) -> sql.Composed:
    columns = [sql.SQL("r.{}").format(sql.Identifier(name)) for name in relationship.columns]
    partner = [sql.SQL("p.{}").format(sql.Identifier(name)) for name in relationship.to_columns]
    return sql.SQL(
        "select {source} as source, l.file, r._row as line, {names} as columns,"
        " concat_ws(', ', {columns}) as value, {to} as missing_in"
        " from raw.{table} r join ops.load_ledger l on l.batch_id = r._batch_id"
        " where r.book = %(book)s and num_nulls({columns}) = 0 and not exists"
        " (select from raw.{parent} p where p.book = %(book)s and {same}) order by l.file, r._row"
    ).format(
        source=sql.Literal(contract.source),
        names=sql.Literal(", ".join(relationship.columns)),
        columns=sql.SQL(", ").join(columns),
        to=sql.Literal(parent.source),
        table=sql.Identifier(contract.table),
        parent=sql.Identifier(parent.table),
        same=sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(theirs, ours) for theirs, ours in zip(partner, columns, strict=True)
        ),
    )
