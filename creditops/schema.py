"""Creates the warehouse: roles, schemas, operations, raw and publication tables.

:func:`initialise` runs as the owner and may run any number of times: it adds what is missing
and takes nothing away. ``python -m creditops.schema`` does the same from a shell.
"""

from __future__ import annotations

from importlib.resources import files

import psycopg
from psycopg import sql

from creditops.declarations import broken_files
from creditops.errors import DataRefusedError
from creditops.publish import published_tables
from creditops.sources.contract import load_book_contracts, load_contracts
from creditops.warehouse import grants, readers
from creditops.warehouse.connection import ROLES, connect, credentials
from creditops.warehouse.raw_tables import bring_up

_PACKAGE_DDL = (
    ("creditops.warehouse", "ops.sql"),
    ("models_ml", "schema.sql"),
    ("creditops.verdict", "schema.sql"),
    ("creditops.warnings", "schema.sql"),
    ("creditops.policy", "schema.sql"),
    ("creditops.limits", "schema.sql"),
    ("creditops.collection", "schema.sql"),
)


def initialise() -> list[str]:
    """Bring the warehouse to the state this version of the code needs.

    Returns
    -------
    What stays as it is, a sentence each: contracts that are at fault, or that say another form than their
    table, which has rows, stop their own source only; published tables and views that are not what they
    should be stop publishing.

    Raises
    ------
    ServiceUnreachableError: PostgreSQL does not answer.
    """
    with connect("owner") as connection:
        connection.execute("set lock_timeout = '5s'")
        try:
            return _bring_up_to_date(connection)
        except psycopg.errors.LockNotAvailable:
            connection.rollback()
            # A reader that sits in a transaction gives way; the platform's own work is waited for.
            readers.end_sessions_in_the_way(connection)
            connection.commit()
        connection.execute("set lock_timeout = 0")
        return _bring_up_to_date(connection)


def _bring_up_to_date(connection: psycopg.Connection) -> list[str]:
    connection.execute("select pg_advisory_xact_lock(hashtext('creditops.initialise'))")
    for role in ROLES:
        _ensure_role(connection, role)
    for schema in grants.SCHEMAS:
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    _run_package_ddl(connection)
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
    return problems


def _ensure_role(connection: psycopg.Connection, role: str) -> None:
    name, password = credentials(role)
    exists = connection.execute("select 1 from pg_roles where rolname = %s", (name,)).fetchone()
    verb = "alter" if exists else "create"
    connection.execute(
        sql.SQL(verb + " role {} login nosuperuser nocreatedb nocreaterole password {}").format(
            sql.Identifier(name), sql.Literal(password)
        )
    )


def _run_package_ddl(connection: psycopg.Connection) -> None:
    for package, name in _PACKAGE_DDL:
        resource = files(package).joinpath(name)
        if resource.is_file():
            connection.execute(resource.read_text(encoding="utf-8"))  # type: ignore[arg-type]


if __name__ == "__main__":
    for problem in initialise():
        print(problem)
