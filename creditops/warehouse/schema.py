"""Creates the warehouse: roles, schemas, operations, raw and publication tables.

:func:`initialise` runs as the owner and may run any number of times: it adds what is missing
and takes nothing away. ``python -m creditops.warehouse.schema`` does the same from a shell.
"""

from __future__ import annotations

from importlib.resources import files

import psycopg
from psycopg import sql

from creditops.errors import DataRefusedError
from creditops.publish.tables import PublishedTable, load_tables
from creditops.sources.contract import broken_contracts, load_book_contracts, load_contracts
from creditops.warehouse import readers
from creditops.warehouse.connection import ROLES, connect, credentials
from creditops.warehouse.raw_tables import bring_up

SCHEMAS = (
    "ops",
    "raw",
    "staging",
    "intermediate",
    "marts",
    "features",
    "scoring",
    "actions",
    "published",
    "publish",
)
BUILT_SCHEMAS = ("staging", "intermediate", "marts", "features")

# What a role may do in a schema: (create, [table privileges]).
_GRANTS: dict[str, dict[str, tuple[bool, str]]] = {
    "loader": {
        "raw": (False, "select, insert, delete"),
        "ops": (False, "select, insert, update"),
    },
    "builder": {
        "raw": (False, "select"),
        "ops": (False, "select"),
        **dict.fromkeys(BUILT_SCHEMAS, (True, "select, insert, update, delete")),
    },
    "modeller": {
        "intermediate": (False, "select"),
        "marts": (False, "select"),
        "features": (False, "select"),
        "scoring": (False, "select, insert, update, delete"),
        "ops": (False, "select"),
    },
    "publisher": {
        "marts": (False, "select"),
        "features": (False, "select"),
        "scoring": (False, "select"),
        "actions": (False, "select, insert, update, delete"),
        "published": (False, "select, insert, delete"),
        "publish": (False, "select"),
        "ops": (False, "select, insert, update"),
    },
    "bi_reader": {"publish": (False, "select")},
}
_ALL_MAY_LOG = ("loader", "builder", "modeller", "publisher")
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
    table, which has rows. They stop their own source only.

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
    for schema in SCHEMAS:
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    _run_package_ddl(connection)
    problems = [f"{each.error} Nothing is loaded by it." for each in broken_contracts()]
    for contract in (*load_contracts().values(), *load_book_contracts()):
        try:
            bring_up(connection, contract)
        except DataRefusedError as error:
            problems.append(str(error))
    for table in load_tables().values():
        _ensure_published_table(connection, table)
    _grant(connection)
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


def _ensure_published_table(connection: psycopg.Connection, table: PublishedTable) -> None:
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type))  # type: ignore[arg-type]
        for column in table.columns
    )
    name = sql.Identifier(table.name)
    connection.execute(
        sql.SQL(
            "create table if not exists published.{} (publication_id text not null,"
            " as_of_date date not null, book text not null, {})"
        ).format(name, columns)
    )
    for column in table.columns:
        connection.execute(
            sql.SQL("alter table published.{} add column if not exists {} {}").format(
                name,
                sql.Identifier(column.name),
                sql.SQL(column.type),  # type: ignore[arg-type]
            )
        )
    connection.execute(
        sql.SQL("create unique index if not exists {} on published.{} (publication_id, {})").format(
            sql.Identifier(f"{table.name}_key"), name, sql.SQL(", ").join(map(sql.Identifier, table.key))
        )
    )
    names = ["publication_id", "as_of_date", "book", *(column.name for column in table.columns)]
    connection.execute(
        sql.SQL(
            "create or replace view publish.{} as select {} from published.{} as rows"
            " join ops.publication as current on current.publication_id = rows.publication_id"
        ).format(
            name,
            sql.SQL(", ").join(sql.SQL("rows.{}").format(sql.Identifier(each)) for each in names),
            name,
        )
    )


def _grant(connection: psycopg.Connection) -> None:
    connection.execute("create or replace view publish.publication as select * from ops.publication")
    connection.execute("revoke all on schema public from public")
    database = connection.info.dbname
    connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))
    for role, schemas in _GRANTS.items():
        grantee = sql.Identifier(role)
        connection.execute(
            sql.SQL("grant connect, temporary on database {} to {}").format(sql.Identifier(database), grantee)
        )
        for schema, (create, privileges) in schemas.items():
            place = sql.Identifier(schema)
            rights = sql.SQL("usage, create" if create else "usage")
            connection.execute(sql.SQL("grant {} on schema {} to {}").format(rights, place, grantee))
            granted = sql.SQL(privileges)  # type: ignore[arg-type]
            connection.execute(
                sql.SQL("grant {} on all tables in schema {} to {}").format(granted, place, grantee)
            )
            if schema in BUILT_SCHEMAS and role != "builder":
                connection.execute(
                    sql.SQL(
                        "alter default privileges for role builder in schema {} grant {} on tables to {}"
                    ).format(place, granted, grantee)
                )
    if connection.info.server_version >= 170000:  # before 17 only an owner may analyse
        connection.execute("grant maintain on all tables in schema raw to loader")
        connection.execute("grant maintain on all tables in schema published to publisher")
    connection.execute(sql.SQL("grant create on database {} to builder").format(sql.Identifier(database)))
    connection.execute("grant insert on ops.model_version, ops.model_decision to modeller")
    for role in _ALL_MAY_LOG:
        connection.execute(
            sql.SQL(
                "grant usage on schema ops to {0};"
                " grant select, insert on ops.run_log, ops.audit, ops.failure, ops.operations_warning to {0};"
                " grant select, insert, update on ops.alert to {0};"
                " grant select, insert, update, delete on ops.gate_result, ops.build_state to {0}"
            ).format(sql.Identifier(role))
        )


if __name__ == "__main__":
    for problem in initialise():
        print(problem)
