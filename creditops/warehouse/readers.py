"""Bounds on what ``bi_reader`` may take of the server, so that no reader stops the platform.

A role may always change its own password and the defaults of its own session; PostgreSQL itself has no means
against it. So what must hold is bounded by what a reader cannot set (connections, temporary files, functions
and languages it may not use), and :func:`restrain` sets the rest anew at every `creditops up`. A changed
password, which locks the other readers out, is seen by `creditops doctor` and set back by the daily
maintenance as well. Memory of a session has no bound of its own: `work_mem` is every session's to set.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from creditops.errors import ServiceUnreachableError
from creditops.settings import get_settings
from creditops.warehouse.connection import ROLES, connect, credentials

READER = "bi_reader"
#: Functions that everybody may call by default, with which a reader could hold up or fill the server:
#: advisory locks (those of the platform have names that can be guessed), large objects, the log.
_CLOSED_FUNCTIONS = (
    r"pg\_%advisory%",
    r"lo\_%",
    "loread",
    "lowrite",
    r"pg\_logical\_emit\_message",
)


def restrain(connection: psycopg.Connection) -> None:
    """Bound what ``bi_reader`` may take; run as the owner, any number of times.

    On a server that somebody else runs, an owner who is no superuser leaves out what it may not do.
    """
    settings = get_settings()
    reader = sql.Identifier(READER)
    superuser = connection.execute(
        "select rolsuper from pg_roles where rolname = current_user"
    ).fetchone() == (True,)
    limits = {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{settings.reader_statement_seconds}s",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "60s",
    }
    if superuser:
        limits["temp_file_limit"] = f"{settings.reader_temp_mb}MB"
        # What a reader says is in no log of the server, which keeps little and turns over.
        limits |= {"log_min_messages": "panic", "log_min_error_statement": "panic"}
    if connection.info.server_version >= 170000:
        limits["transaction_timeout"] = f"{2 * settings.reader_statement_seconds}s"
    connection.execute(sql.SQL("alter role {} reset all").format(reader))
    for name, value in limits.items():
        connection.execute(
            sql.SQL("alter role {} set {} = {}").format(reader, sql.Identifier(name), sql.Literal(value))
        )
    connection.execute(
        sql.SQL("alter role {} connection limit {}").format(reader, sql.Literal(settings.reader_connections))
    )
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("revoke temporary on database {} from {}").format(database, reader))
    if superuser:
        _close_functions(connection)
        _close_language(connection)
        _reserve_connections(connection)


def has_another_password() -> bool:
    """Whether a reader has changed the password that the platform gave to ``bi_reader``."""
    try:
        with connect(READER):
            return False
    except ServiceUnreachableError as error:
        return "password authentication failed" in error.message


def set_password_back() -> bool:
    """Give ``bi_reader`` the platform's password again if it has another one; whether it had."""
    if not has_another_password():
        return False
    _, password = credentials(READER)
    with connect("publisher") as connection:
        # Only its hash is sent, so that the password is in no statement.
        kept = connection.pgconn.encrypt_password(password.encode(), READER.encode(), b"scram-sha-256")
        connection.execute("select ops.set_reader_back(%s)", (kept.decode(),))
    return True


def end_sessions_in_the_way(connection: psycopg.Connection) -> int:
    """End readers' transactions older than a few seconds, which hold locks; how many there were."""
    found = connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
        " and xact_start < clock_timestamp() - interval '3 seconds' and usesysid in"
        " (select oid from pg_roles where not rolsuper and pg_has_role(oid, %s, 'member'))",
        (READER,),
    ).fetchall()
    return len(found)


def _close_functions(connection: psycopg.Connection) -> None:
    """Keep functions for the platform's own roles; a database of its own has them for itself alone."""
    platform = sql.SQL(", ").join(sql.Identifier(role) for role in ROLES if role != READER)
    found = connection.execute(
        "select oid::regprocedure::text from pg_proc where pronamespace = 'pg_catalog'::regnamespace"
        " and proname like any(%s) and has_function_privilege(%s, oid, 'execute')",
        (list(_CLOSED_FUNCTIONS), READER),
    ).fetchall()
    for (function,) in found:
        name = sql.SQL(function)
        connection.execute(sql.SQL("grant execute on function {} to {}").format(name, platform))
        connection.execute(sql.SQL("revoke execute on function {} from public").format(name))


def _close_language(connection: psycopg.Connection) -> None:
    """Keep PL/pgSQL, and with it `do` blocks, for the platform's own roles."""
    platform = sql.SQL(", ").join(sql.Identifier(role) for role in ROLES if role != READER)
    connection.execute(sql.SQL("grant usage on language plpgsql to {}").format(platform))
    connection.execute("revoke usage on language plpgsql from public")


def _reserve_connections(connection: psycopg.Connection) -> None:
    """Let the platform's roles have the connections that the server keeps back (PostgreSQL 16 on)."""
    members = [role for role in (*ROLES, "airflow", "mlflow") if role != READER]
    found = connection.execute("select rolname from pg_roles where rolname = any(%s)", (members,)).fetchall()
    for (role,) in found:
        connection.execute(sql.SQL("grant pg_use_reserved_connections to {}").format(sql.Identifier(role)))
