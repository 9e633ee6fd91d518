"""The databases of a server and the roles that own them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import psycopg
from psycopg import sql

from creditops.addresses import postgres_address, required_auth
from creditops.errors import ServiceUnreachableError
from creditops.secrets import get_secret
from creditops.settings import get_settings
from creditops.warehouse.connection import DATABASE, OWNER, credentials

SERVICES = ("airflow", "mlflow")


def connect(user: str, password: str, database: str) -> psycopg.Connection:
    """An autocommit connection to ``database`` of this home's server.

    Raises
    ------
    psycopg.OperationalError: no answer, or the user is refused.
    """
    host, port = postgres_address()
    return psycopg.connect(
        host=host,
        port=port,
        user=user,
        password=password,
        dbname=database,
        autocommit=True,
        connect_timeout=5,
        require_auth=required_auth(),
        application_name="creditops services",
    )


def problem() -> str | None:
    """Why the server does not serve its owner; ``None`` when it does."""
    try:
        with connect(*credentials("owner"), _first_database()) as connection:
            connection.execute("select 1")
    except psycopg.Error as error:
        return str(error).strip() or type(error).__name__
    return None


def service_url(service: str, driver: str = "postgresql+psycopg2") -> str:
    """SQLAlchemy URL of a service's own database as its own role (``airflow`` or ``mlflow``)."""
    host, port = postgres_address()
    password = quote(get_secret(f"postgres_{service}"), safe="")
    # asyncpg is no client of libpq and has no such choice.
    how = None if "asyncpg" in driver else required_auth()
    login = f"?require_auth={how}" if how else ""
    return f"{driver}://{service}:{password}@{host}:{port}/{service}{login}"


def ensure(progress: Callable[[str], None]) -> None:
    """Make the databases ``warehouse``, ``airflow`` and ``mlflow`` and the owners of the last two.

    On the home's own server the owners' passwords are set to the home's secrets each time; on a
    server that somebody else runs an existing role is left alone and only tried.

    Raises
    ------
    ServiceUnreachableError: the owner is refused, or may not make a database.
    """
    own_server = get_settings().database_url is None
    try:
        with connect(*credentials("owner"), _first_database()) as connection:
            if own_server:
                _make_database(connection, DATABASE, OWNER, progress)
            if own_server:
                # Everybody may by default; nobody but the owner has work there.
                connection.execute("revoke connect on database postgres, template1 from public")
            for service in SERVICES:
                _make_role(connection, service, own_server)
                _make_database(connection, service, service, progress)
                connection.execute(
                    sql.SQL("revoke all on database {} from public").format(sql.Identifier(service))
                )
    except psycopg.Error as error:
        remedy = (
            f"secrets.json and the data directory in {get_settings().home / 'postgres'} may not belong "
            "together; put the right secrets.json back"
            if own_server
            else "give the owner of CREDITOPS_DATABASE_URL the right to make databases and roles, "
            "or set CREDITOPS_MLFLOW_URL and CREDITOPS_AIRFLOW_URL"
        )
        raise ServiceUnreachableError(
            f"cannot set up the databases: {str(error).strip()}", hint=remedy
        ) from error


def migration_head(service: str) -> str | None:
    """Alembic revision of a service's database, ``None`` while it is empty.

    Raises
    ------
    psycopg.Error: the database does not answer.
    """
    with connect(service, get_secret(f"postgres_{service}"), service) as connection:
        if connection.execute("select to_regclass('alembic_version')").fetchone() == (None,):
            return None
        row = connection.execute("select version_num from alembic_version").fetchone()
    return str(row[0]) if row else None


def _first_database() -> str:
    url = get_settings().database_url
    return "postgres" if url is None else (url.path or "/postgres").lstrip("/")


def _make_role(connection: psycopg.Connection, name: str, own_server: bool) -> None:
    exists = connection.execute("select 1 from pg_roles where rolname = %s", (name,)).fetchone()
    if exists and not own_server:
        return
    # The verifier is computed here, so that the password is in no server log.
    password = get_secret(f"postgres_{name}").encode()
    verifier = connection.pgconn.encrypt_password(password, name.encode(), b"scram-sha-256").decode()
    verb = "alter" if exists else "create"
    connection.execute(
        sql.SQL("{} role {} login password {}").format(
            sql.SQL(verb), sql.Identifier(name), sql.Literal(verifier)
        )
    )


def _make_database(
    connection: psycopg.Connection, name: str, owner: str, progress: Callable[[str], None]
) -> None:
    if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
        return
    if owner != OWNER:
        # A superuser needs no membership; an ordinary owner may only hand over to a role it is in.
        connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(owner)))
    connection.execute(
        sql.SQL("create database {} owner {}").format(sql.Identifier(name), sql.Identifier(owner))
    )
    progress(f"postgres: made database {name}")
