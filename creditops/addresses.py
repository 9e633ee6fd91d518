"""Where the services listen: settings first, then ``<home>/endpoints.json``."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from creditops.errors import ServiceUnreachableError
from creditops.files import replace
from creditops.settings import get_settings

_LISTENING = "0A"  # of /proc/net/tcp
_START = "start the services with `creditops up`, or name one that runs elsewhere (docs/settings.md)"


@dataclass(frozen=True)
class Endpoints:
    """Addresses of the services of one home; ``None`` where a service is not started.

    Attributes
    ----------
    postgres: host and port of the server.
    mlflow_url, airflow_url: base addresses without a trailing slash.
    """

    postgres: tuple[str, int] | None = None
    mlflow_url: str | None = None
    airflow_url: str | None = None

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """The form of ``endpoints.json``; services without an address are left out."""
        found: dict[str, dict[str, Any]] = {}
        if self.postgres:
            found["postgres"] = {"host": self.postgres[0], "port": self.postgres[1]}
        if self.mlflow_url:
            found["mlflow"] = {"url": self.mlflow_url}
        if self.airflow_url:
            found["airflow"] = {"url": self.airflow_url}
        return found


def endpoints_file() -> Path:
    """``<home>/endpoints.json``, written by `creditops up` and removed by `creditops down`."""
    return get_settings().home / "endpoints.json"


def read_endpoints() -> Endpoints:
    """What ``endpoints.json`` says; empty when there is none, or none that can be read.

    `creditops up` then writes it anew, from where each service listens.
    """
    try:
        found = json.loads(endpoints_file().read_text())
        postgres = found.get("postgres")
        return Endpoints(
            (str(postgres["host"]), int(postgres["port"])) if postgres else None,
            found.get("mlflow", {}).get("url"),
            found.get("airflow", {}).get("url"),
        )
    except (FileNotFoundError, ValueError, AttributeError, TypeError, KeyError):
        return Endpoints()


def write_endpoints(endpoints: Endpoints) -> None:
    """Replace ``endpoints.json`` in one step, so that a reader never sees half of it."""
    replace(endpoints_file(), json.dumps(endpoints.as_dict(), indent=2) + "\n")


def postgres_address() -> tuple[str, int]:
    """Host and port of the PostgreSQL server.

    Raises
    ------
    ServiceUnreachableError: neither ``CREDITOPS_DATABASE_URL`` nor ``endpoints.json`` names one.
    """
    url = get_settings().database_url
    if url is not None:
        host = url.hosts()[0]
        return host.get("host") or "127.0.0.1", host.get("port") or 5432
    found = read_endpoints().postgres
    if found is None:
        raise ServiceUnreachableError("PostgreSQL is not running", hint=_START)
    return found


def required_auth() -> str | None:
    """How a client of libpq must let itself be asked for its password (``require_auth``).

    The home's own server is made with SCRAM, by which it proves that it knows the password as well. Whoever
    took its port after it died asks otherwise, and gets nothing. A server that runs elsewhere is asked as its
    owners set it up.
    """
    return "scram-sha-256" if get_settings().database_url is None else None


def refuse_strangers(url: str) -> None:
    """Refuse to log in where another user of this machine listens in place of a service of the home.

    Looks at who owns the listening socket (Linux); addresses that the home did not give out are passed.

    Raises
    ------
    ServiceUnreachableError: somebody else listens there.
    """
    own = read_endpoints()
    if url.rstrip("/") not in (own.mlflow_url, own.airflow_url):
        return
    strangers = _listeners(urlsplit(url).port or 80) - {os.geteuid(), 0}
    if strangers:
        raise ServiceUnreachableError(
            f"{url} is not this platform's any more: user {min(strangers)} of this machine listens there",
            hint="start the services anew with `creditops up`; nothing was sent",
        )


def _listeners(port: int) -> set[int]:
    """Users who listen on a TCP port of this machine, as far as the system tells."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[3] == _LISTENING and int(words[1].rpartition(":")[2], 16) == port:
                found.add(int(words[7]))
    return found


def mlflow_url() -> str:
    """Address of the MLflow tracking server.

    Taken from ``CREDITOPS_MLFLOW_URL``, else ``MLFLOW_TRACKING_URI``, else ``endpoints.json``.

    Raises
    ------
    ServiceUnreachableError: none of them names one.
    """
    found = get_settings().mlflow_url or os.environ.get("MLFLOW_TRACKING_URI") or read_endpoints().mlflow_url
    if not found:
        raise ServiceUnreachableError("MLflow is not running", hint=_START)
    return found.rstrip("/")


def airflow_url() -> str:
    """Address of Airflow's api-server, from ``CREDITOPS_AIRFLOW_URL`` or ``endpoints.json``.

    Raises
    ------
    ServiceUnreachableError: neither names one.
    """
    found = get_settings().airflow_url or read_endpoints().airflow_url
    if not found:
        raise ServiceUnreachableError("Airflow is not running", hint=_START)
    return found.rstrip("/")
