"""Where the warehouse is, and connections to it by role.

Roles (see ``docs/decisions``): ``owner`` sets the database up; ``loader`` writes raw;
``builder`` owns staging to features; ``modeller`` reads features and writes scoring;
``publisher`` writes publications; ``bi_reader`` reads ``publish`` and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode, urlsplit

import psycopg
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from creditops.addresses import postgres_address, required_auth
from creditops.errors import ServiceUnreachableError, UsageError
from creditops.secrets import get_secret
from creditops.settings import get_settings

OWNER = "creditops"
ROLES = ("loader", "builder", "modeller", "publisher", "bi_reader")
DATABASE = "warehouse"
_RECOVERY_SECONDS = 30.0
_RECOVERING = re.compile(
    r"the database system is (in recovery mode|starting up|not yet accepting connections)"
    r"|server closed the connection unexpectedly|terminating connection because of crash"
)

# Tables that were filled a moment ago have no statistics yet, and for the tiny joins that the planner then
# expects it takes nested loops: minutes instead of a second.
_LARGE_JOINS = "-c enable_nestloop=off -c work_mem=256MB"


@dataclass(frozen=True)
class Address:
    """Host, port and database name of the warehouse."""

    host: str
    port: int
    dbname: str


def address() -> Address:
    """The warehouse's address, from ``CREDITOPS_DATABASE_URL`` or ``endpoints.json``.

    Raises
    ------
    ServiceUnreachableError: neither names one.
    """
    settings = get_settings()
    if settings.database_url is not None:
        parts = urlsplit(str(settings.database_url))
        return Address(parts.hostname or "127.0.0.1", parts.port or 5432, parts.path.lstrip("/"))
    host, port = postgres_address()
    return Address(host, port, DATABASE)


def credentials(role: str) -> tuple[str, str]:
    """User name and password of a role (``owner`` or one of :data:`ROLES`)."""
    if role == "owner":
        url = get_settings().database_url
        if url is not None:
            parts = urlsplit(str(url))
            return unquote(parts.username or OWNER), unquote(parts.password or "")
        return OWNER, get_secret("postgres_owner")
    if role not in ROLES:
        raise UsageError(f"unknown role {role!r}", hint=f"use one of {', '.join(ROLES)}")
    return role, get_secret(f"postgres_{role}")


def url(role: str, *, driver: str = "postgresql", large_joins: bool = False) -> str:
    """SQLAlchemy-style URL for a role, e.g. ``driver="postgresql+psycopg2"``; see :func:`connect`."""
    (user, password), where = credentials(role), address()
    place = f"{where.host}:{where.port}/{where.dbname}"
    more = {"require_auth": how} if (how := required_auth()) else {}
    more |= {"options": _LARGE_JOINS} if large_joins else {}
    options = f"?{urlencode(more, quote_via=quote)}" if more else ""
    return f"{driver}://{quote(user)}:{quote(password, safe='')}@{place}{options}"


def connect(
    role: str, *, autocommit: bool = False, application: str = "creditops", large_joins: bool = False
) -> psycopg.Connection:
    """Open a psycopg connection as ``role``; time zone UTC, ``jit`` off.

    Parameters
    ----------
    large_joins: queries join whole tables, which may have been filled a moment ago.

    Raises
    ------
    ServiceUnreachableError: PostgreSQL does not answer or refuses the role.
    """
    (user, password), where = credentials(role), address()
    # A server that recovers from the loss of a process is back within seconds.
    patience = Retrying(
        retry=retry_if_exception(_is_recovering),
        wait=wait_fixed(0.2),
        stop=stop_after_delay(_RECOVERY_SECONDS),
        reraise=True,
    )
    try:
        return patience(
            psycopg.connect,
            host=where.host,
            port=where.port,
            dbname=where.dbname,
            user=user,
            password=password,
            require_auth=required_auth(),
            autocommit=autocommit,
            application_name=application,
            connect_timeout=10,
            options=f"-c timezone=UTC -c jit=off {_LARGE_JOINS if large_joins else ''}",
        )
    except psycopg.OperationalError as error:
        raise ServiceUnreachableError(
            f"PostgreSQL at {where.host}:{where.port}/{where.dbname} refused role {user}: {error}".strip(),
            hint="see `creditops status`; start the services with `creditops up`",
        ) from error


def _is_recovering(error: BaseException) -> bool:
    return isinstance(error, psycopg.OperationalError) and bool(_RECOVERING.search(str(error)))
