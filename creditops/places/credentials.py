"""Secrets of places, from environment variables and Airflow connections; never logged."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from creditops.errors import UsageError


@dataclass(frozen=True)
class Connection:
    """An Airflow connection; its password is never shown."""

    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    schema: str | None = None
    extra: dict[str, Any] = field(default_factory=dict, repr=False)
    uri: str | None = field(default=None, repr=False)


def from_environment(name: str | None, what: str) -> str | None:
    """Value of the environment variable ``name``; ``None`` if no name is given.

    Raises
    ------
    UsageError: the variable is not set.
    """
    if name is None:
        return None
    value = os.environ.get(name)
    if not value:
        raise UsageError(
            f"the environment variable {name} is not set ({what})", hint=f"set {name}, then try again"
        )
    return value


def airflow_connection(name: str | None) -> Connection:
    """The connection called ``name``, in the URI or JSON form of ``AIRFLOW_CONN_<NAME>``.

    Raises
    ------
    UsageError: it is not set or not of either form.
    """
    if name is None:
        return Connection()
    variable = f"AIRFLOW_CONN_{name.upper()}"
    text = from_environment(variable, f"connection {name}") or ""
    if text.lstrip().startswith("{"):
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise UsageError(
                f"{variable} is no JSON", hint="write it as Airflow's connections are"
            ) from error
        extra = values.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        known = {key: values.get(key) for key in ("host", "port", "login", "password", "schema")}
        return Connection(**known, extra=extra)
    parts = urlsplit(text)
    if not parts.scheme:
        raise UsageError(f"{variable} is no URI", hint="write it as Airflow's connections are")
    return Connection(
        host=parts.hostname,
        port=parts.port,
        login=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        schema=parts.path.lstrip("/") or None,
        extra=dict(parse_qsl(parts.query)),
        uri=text,
    )
