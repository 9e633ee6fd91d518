"""Publication: candidate rows, a content-derived id, and one row that points at what is current.

A candidate is written beside the current publication and seen by nobody. Its id is derived from
its content, so publishing the same day twice with the same outcome is the same publication. The
views of schema ``publish`` follow ``ops.publication``; updating its one row of a book publishes
every table of the book at once, blocks no reader, and rolls back the same way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from creditops import __version__
from creditops.books import end_of_day
from creditops.errors import DataRefusedError, UsageError
from creditops.publish.published_tables import differences
from creditops.publish.tables import PublishedTable, load_tables
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import SERVING

_dumps = partial(json.dumps, default=str)


@dataclass(frozen=True)
class Candidate:
    """A publication that waits for its gate.

    Attributes
    ----------
    rows: rows per published table.
    is_new: false where the same content was assembled before.
    """

    publication_id: str
    book: str
    as_of: date
    rows: dict[str, int] = field(default_factory=dict)
    is_new: bool = True


def assemble(
    book: str,
    as_of: date,
    *,
    models: Sequence[Mapping[str, Any]],
    policy_version: str | None = None,
    known_at: datetime | None = None,
) -> Candidate:
    """Write the candidate rows of every published table for one book and day.

    dbt has made them in layer ``serving``, one model a table (:func:`creditops.decisions.decide`); they are
    copied as they are, under an id.

    Parameters
    ----------
    models: what scored: one mapping per scorecard with at least ``scorecard`` and ``version``.

    Raises
    ------
    DataRefusedError: ``serving`` does not hold this day as it was known at this time. Or nobody was scored
        for that day although the book has models; without models a book is published without scores. Or a
        published table or view is not what it should be.
    """
    known = known_at or end_of_day(book, as_of)
    with connect("publisher", large_joins=True) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"publish {book}",))
        _refuse_other_forms(connection)
        _refuse_other_days(connection, book, as_of, known)
        rows: dict[str, int] = {}
        digest = hashlib.sha256(
            json.dumps(
                [book, as_of.isoformat(), list(models), policy_version], sort_keys=True, default=str
            ).encode()
        )
        for table in load_tables().values():
            rows[table.name], checksum = _measure(connection, table, book)
            digest.update(f"{table.name}:{table.version}:{rows[table.name]}:{checksum}".encode())
        if models and rows["customer_scores"] == 0:
            raise DataRefusedError(
                f"no customer of book {book} was scored for {as_of}",
                hint="run the publish DAG's score step first; see `creditops models list`",
            )
        publication_id = f"{book}-{as_of.isoformat()}-{digest.hexdigest()[:12]}"
        is_new = (
            connection.execute(
                "insert into ops.publication_history (publication_id, book, as_of_date, known_at,"
                " code_version, models, policy_version) values (%s, %s, %s, %s, %s, %s, %s)"
                " on conflict (publication_id) do nothing",
                (
                    publication_id,
                    book,
                    as_of,
                    known,
                    __version__,
                    json.dumps(list(models), default=str),
                    policy_version,
                ),
            ).rowcount
            == 1
        )
        if is_new:
            for table in load_tables().values():
                _write(connection, table, publication_id, book, as_of)
    return Candidate(publication_id, book, as_of, rows, is_new)


def record_gate(publication_id: str, gates: Sequence[Mapping[str, Any]], *, passed: bool) -> None:
    """Note a gate's verdict on a candidate; a published one keeps its state."""
    with connect("publisher") as connection:
        connection.execute(
            "select ops.record_gate(%s, %s, %s)", (publication_id, Jsonb(list(gates), dumps=_dumps), passed)
        )


def flip(
    publication_id: str, *, move_back: bool = False, actor: str = "publish", reason: str | None = None
) -> bool:
    """Make a publication the current one of its book.

    A publication for a day before the current one is kept, but the pointer stays unless
    ``move_back``. Returns whether the pointer now names ``publication_id``.

    Raises
    ------
    UsageError: there is no such publication.
    DataRefusedError: it did not pass its gate.
    """
    with connect("publisher") as connection:
        found = connection.execute(
            "select status from ops.publication_history where publication_id = %s", (publication_id,)
        ).fetchone()
        if found is None:
            raise UsageError(
                f"there is no publication {publication_id!r}", hint="see `creditops publish list`"
            )
        if found[0] not in ("ready", "published"):
            raise DataRefusedError(
                f"publication {publication_id} is {found[0]}: it did not pass its gate",
                hint="see `creditops publish show` for the failed checks",
            )
        row = connection.execute(
            "select ops.flip(%s, %s, %s, %s)", (publication_id, move_back, actor, reason)
        ).fetchone()
    return bool(row and row[0])


def rollback(book: str, *, to: str | None = None, actor: str, reason: str) -> str:
    """Point a book back at an earlier publication: ``to``, or the one that was current before.

    Raises
    ------
    UsageError: there is none to go back to.
    """
    with connect("publisher") as connection:
        if to is None:
            before = connection.execute(
                "select a.before #>> '{}' from ops.audit a join ops.publication p on p.book = a.object"
                " and a.after #>> '{}' = p.publication_id where a.action = 'publish.flip' and a.object = %s"
                " order by a.at desc limit 1",
                (book,),
            ).fetchone()
            to = before[0] if before else None
        known = connection.execute(
            "select 1 from ops.publication_history where publication_id = %s and book = %s", (to, book)
        ).fetchone()
    if to is None or known is None:
        raise UsageError(
            f"book {book} has no earlier publication to go back to", hint="see `creditops publish list`"
        )
    flip(to, move_back=True, actor=actor, reason=reason)
    return to


def publications(book: str | None = None) -> list[dict[str, Any]]:
    """Every publication, newest first, with ``current`` marking the pointer."""
    with connect("publisher") as connection:
        cursor = connection.execute(
            "select h.publication_id, h.book, h.as_of_date, h.known_at, h.created_at, h.published_at,"
            " h.status, h.code_version, h.models, h.policy_version, h.gates,"
            " p.publication_id is not null as current"
            " from ops.publication_history h left join ops.publication p using (publication_id)"
            " where %(book)s::text is null or h.book = %(book)s"
            " order by h.as_of_date desc, h.created_at desc",
            {"book": book},
        )
        assert cursor.description is not None
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def _refuse_other_days(connection: psycopg.Connection, book: str, as_of: date, known_at: datetime) -> None:
    """What was made for another day, or as known at another time, is not published as this one."""
    made = connection.execute(
        "select as_of, known_at from ops.build_state where book = %s and layer = %s", (book, SERVING)
    ).fetchone()
    if made != (as_of, known_at):
        holds = f"{made[0]} as known at {made[1]}" if made else "nothing"
        raise DataRefusedError(
            f"the tables to publish of book {book} hold {holds}, not {as_of} as known at {known_at}",
            hint=f"run the chain's step before: `creditops run publish --book {book} --as-of {as_of}`",
        )


def _refuse_other_forms(connection: psycopg.Connection) -> None:
    """Rows are published into tables and views that are what their contracts say, or not at all."""
    if found := differences(connection):
        raise DataRefusedError(
            "nothing is published, because " + "; ".join(each.sentence() for each in found),
            hint="the last publication stays; `creditops up` says the same until it is mended",
        )


def _measure(connection: psycopg.Connection, table: PublishedTable, book: str) -> tuple[int, str]:
    """Rows that ``serving`` holds for a table, and a checksum of their content."""
    row = connection.execute(
        sql.SQL(
            "select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text"
            " from (select {} from serving.{} where book = %s) as t"
        ).format(_columns(table), sql.Identifier(table.name)),
        (book,),
    ).fetchone()
    assert row is not None
    return int(row[0]), str(row[1])


def _write(
    connection: psycopg.Connection, table: PublishedTable, publication_id: str, book: str, as_of: date
) -> None:
    connection.execute(
        sql.SQL(
            "insert into published.{table} (publication_id, as_of_date, book, {columns})"
            " select %s, %s, book, {columns} from serving.{table} where book = %s"
        ).format(table=sql.Identifier(table.name), columns=_columns(table)),
        (publication_id, as_of, book),
    )
    # What the gates and the readers of the first publication ask is planned by these figures.
    connection.execute(sql.SQL("analyze published.{}").format(sql.Identifier(table.name)))


def _columns(table: PublishedTable) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
