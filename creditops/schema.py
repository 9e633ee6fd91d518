"""Brings the warehouse to what this version of the code needs: roles, schemas, tables, views, rights.

:func:`initialise` runs as the owner and may run any number of times. Tables of operations, scores and actions
move forward by migrations (:mod:`creditops.warehouse.migrate`), each once; those of raw and published follow
their contracts; functions, views, triggers and rights are replaced by what is declared, every time.
``python -m creditops.schema`` does the same from a shell.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from creditops.declarations import broken_files
from creditops.errors import DataRefusedError
from creditops.publish import published_tables
from creditops.sources.contract import load_book_contracts, load_contracts
from creditops.warehouse import audit, grants, migrate, readers
from creditops.warehouse.connection import ROLES, credentials
from creditops.warehouse.raw_tables import bring_up

#: Functions, views and triggers, made anew every time.
REPLACED = (
    ("creditops.warehouse", "ops.sql"),
    ("models_ml", "schema.sql"),
    ("creditops.verdict", "schema.sql"),
    ("creditops.warnings", "schema.sql"),
    ("creditops.policy", "schema.sql"),
    ("creditops.limits", "schema.sql"),
)


def initialise(progress: Callable[[str], None] | None = None) -> list[str]:
    """Bring the warehouse to the state this version of the code needs, all of it or nothing.

    Parameters
    ----------
    progress: told each migration that ran, once it is done.

    Returns
    -------
    What stays as it is, a sentence each: contracts that are at fault, or that say another form than their
    table, which has rows, stop their own source only; published tables and views that are not what they
    should be stop publishing.

    Raises
    ------
    ServiceUnreachableError: PostgreSQL does not answer.
    CreditOpsError: a migration failed, or cannot run on this warehouse; nothing is changed then.
    """
    with migrate.owner() as (bind, connection):
        try:
            with bind.begin():
                connection.execute("set local lock_timeout = '5s'")
                ran, problems = _bring_up_to_date(bind, connection)
        except psycopg.errors.LockNotAvailable:
            # A reader that sits in a transaction gives way; the platform's own work is waited for.
            with bind.begin():
                readers.end_sessions_in_the_way(connection)
            with bind.begin():
                ran, problems = _bring_up_to_date(bind, connection)
    if progress is not None:
        for each in ran:
            progress(each.sentence())
    return problems


def _bring_up_to_date(bind: Any, connection: psycopg.Connection) -> tuple[list[migrate.Migration], list[str]]:
    connection.execute("select pg_advisory_xact_lock(hashtext('creditops.initialise'))")
    for role in ROLES:
        _ensure_role(connection, role)
    for schema in grants.SCHEMAS:
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    ran = migrate.run(bind, connection)
    _replace(connection)
    for migration in ran:
        audit.append(connection, "creditops", "warehouse.migrate", migration.revision, reason=migration.what)
    problems = [each.sentence() for each in broken_files()]
    for contract in (*load_contracts().values(), *load_book_contracts()):
        try:
            bring_up(connection, contract)
        except DataRefusedError as error:
            problems.append(str(error))
    problems += [
        f"{each.sentence()}. Nothing is published while it is so."
        for each in published_tables.bring_up(connection)
    ]
    connection.execute("create or replace view publish.publication as select * from ops.publication")
    grants.apply(connection)
    readers.restrain(connection)
    return ran, problems


def _ensure_role(connection: psycopg.Connection, role: str) -> None:
    name, password = credentials(role)
    exists = connection.execute("select 1 from pg_roles where rolname = %s", (name,)).fetchone()
    verb = "alter" if exists else "create"
    connection.execute(
        sql.SQL(verb + " role {} login nosuperuser nocreatedb nocreaterole password {}").format(
            sql.Identifier(name), sql.Literal(password)
        )
    )


def _replace(connection: psycopg.Connection) -> None:
    for package, name in REPLACED:
        connection.execute(files(package).joinpath(name).read_bytes())


if __name__ == "__main__":
    for problem in initialise(print):
        print(problem)
