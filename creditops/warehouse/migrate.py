"""Migrations of the warehouse: how the tables of one release become those of the next.

Each is a file of ``migrations/versions`` for Alembic; ``ops.alembic_version`` says which one a warehouse is
at. They move forward only: the way back is the backup. See ``docs/decisions/0017-migrations.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from creditops.errors import CreditOpsError, DataRefusedError
from creditops.warehouse.connection import connect

FOLDER = Path(__file__).parent / "migrations"
BASELINE = "0001"
#: Schemas whose tables are made by migrations alone; those of raw and published follow their contracts.
SCHEMAS = ("ops", "actions", "scoring")
_VERSION_SCHEMA, _VERSION_TABLE = "ops", "alembic_version"


@dataclass(frozen=True)
class Migration:
    """One step, as its file says: its number and what it changes."""

    revision: str
    what: str

    def sentence(self) -> str:
        """It in one line."""
        return f"migration {self.revision}: {self.what}"


@contextmanager
def owner() -> Iterator[tuple[Any, psycopg.Connection]]:
    """A connection of the owner, as SQLAlchemy and as psycopg know it: both share its transaction."""
    from sqlalchemy import NullPool, create_engine

    engine = create_engine("postgresql+psycopg://", creator=partial(connect, "owner"), poolclass=NullPool)
    with engine.connect() as bind:
        yield bind, bind.connection.driver_connection


@cache
def known() -> tuple[Migration, ...]:
    """All migrations of this version of creditops, in the order in which they run."""
    from alembic.script import ScriptDirectory

    found = [
        Migration(each.revision, each.doc) for each in ScriptDirectory.from_config(_config()).walk_revisions()
    ]
    return tuple(reversed(found))


def pending(connection: psycopg.Connection) -> tuple[Migration, ...]:
    """Migrations that this warehouse has not seen yet; any role may ask.

    Raises
    ------
    DataRefusedError: a newer version of creditops made the warehouse.
    """
    now = _version(connection)
    numbers = [each.revision for each in known()]
    if now is not None and now not in numbers:
        raise DataRefusedError(
            f"the warehouse is at migration {now}, of which this version of creditops knows nothing"
            f" (it ends with {numbers[-1]})",
            hint="start the version that made it, or restore the backup (docs/runbooks/restore.md)",
        )
    return known() if now is None else known()[numbers.index(now) + 1 :]


def run(bind: Any, connection: psycopg.Connection) -> list[Migration]:
    """Run what is pending, in the transaction that ``bind`` and ``connection`` share (:func:`owner`).

    Returns
    -------
    What ran, in order. A warehouse from before there were migrations gets the first one as well, which adds
    what it lacks, and is then compared with a new one.

    Raises
    ------
    CreditOpsError: a migration failed.
    DataRefusedError: a newer version made the warehouse, or a table of an older one has another form.
    psycopg.errors.LockNotAvailable: another session holds a table for longer than ``lock_timeout``.
    """
    waiting = pending(connection)
    is_older = _version(connection) is None and _has_tables(connection)
    ran: list[Migration] = []
    for target in ([BASELINE] if is_older else []) + (["head"] if waiting else []):
        _upgrade(bind, target, waiting, ran)
        if target == BASELINE:
            _refuse_another_form(connection)
    return ran


def _upgrade(bind: Any, target: str, waiting: Sequence[Migration], ran: list[Migration]) -> None:
    from alembic import command
    from sqlalchemy.exc import DBAPIError

    def note(*, step: Any, **_: Any) -> None:
        ran.append(next(each for each in waiting if each.revision == step.up_revision_id))

    try:
        command.upgrade(_config(connection=bind, on_version_apply=note), target)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise error.orig from error
        raise CreditOpsError(
            f"{waiting[len(ran)].sentence()}: failed ({str(error.orig).strip()}); nothing was changed",
            hint="the version before goes on with this warehouse; see docs/runbooks/upgrade.md",
        ) from error


def _config(**attributes: Any) -> Any:
    from alembic.config import Config

    config = Config(
        attributes={**attributes, "version_table": _VERSION_TABLE, "version_schema": _VERSION_SCHEMA}
    )
    config.set_main_option("script_location", str(FOLDER))
    return config


def _version(connection: psycopg.Connection) -> str | None:
    if not _exists(connection, _VERSION_TABLE):
        return None
    place = sql.Identifier(_VERSION_SCHEMA, _VERSION_TABLE)
    row = connection.execute(sql.SQL("select version_num from {}").format(place)).fetchone()
    return None if row is None else str(row[0])


def _has_tables(connection: psycopg.Connection) -> bool:
    return _exists(connection, "load_ledger")


def _exists(connection: psycopg.Connection, table: str) -> bool:
    found = connection.execute(
        "select to_regclass(%s) is not null", (f"{_VERSION_SCHEMA}.{table}",)
    ).fetchone()
    return found == (True,)


def _refuse_another_form(connection: psycopg.Connection) -> None:
    """Compare the tables with those that the first migration makes where there is nothing yet.

    Raises
    ------
    DataRefusedError: a column or a constraint differs; what a warehouse has beyond is its own.
    """
    found = _form(connection)
    with connection.transaction(force_rollback=True):
        for schema in SCHEMAS:
            place, aside = sql.Identifier(schema), sql.Identifier(f"{schema}_found")
            connection.execute(sql.SQL("alter schema {} rename to {}").format(place, aside))
            connection.execute(sql.SQL("create schema {}").format(place))
        connection.execute((FOLDER / "versions" / f"{BASELINE}_baseline.sql").read_bytes())
        wanted = _form(connection)
    differing = [
        f"{place} is {found.get(place, 'missing')} but should be {form}"
        for place, form in wanted.items()
        if found.get(place) != form
    ]
    if differing:
        raise DataRefusedError(
            "the warehouse is not what the version before left: " + "; ".join(differing),
            hint="alter it to what it should be, as the owner of the warehouse, then `creditops up`",
        )


def _form(connection: psycopg.Connection) -> dict[str, str]:
    """Type of each column and text of each constraint, by their place."""
    rows = connection.execute(
        "select format('%%s.%%s.%%s', n.nspname, c.relname, a.attname),"
        " format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end"
        " from pg_attribute as a join pg_class as c on c.oid = a.attrelid"
        " join pg_namespace as n on n.oid = c.relnamespace"
        " where n.nspname = any(%(schemas)s) and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped"
        " union all select format('constraint %%s of %%s.%%s', k.conname, n.nspname, c.relname),"
        " pg_get_constraintdef(k.oid) from pg_constraint as k join pg_class as c on c.oid = k.conrelid"
        " join pg_namespace as n on n.oid = c.relnamespace where n.nspname = any(%(schemas)s)"
        " and k.contype <> 'n' order by 1",
        {"schemas": list(SCHEMAS)},
    ).fetchall()
    return dict(rows)
