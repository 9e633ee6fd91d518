"""Which port a service takes: the one it had, else the preferred one, else the next free one."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable, Collection
from pathlib import Path

from creditops.errors import CreditOpsError
from creditops.files import replace
from creditops.settings import get_settings

_TRIES = 200
_CLIENT_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def is_free(host: str, port: int) -> bool:
    """Whether a service could listen on ``host:port`` now.

    Looking takes the port from nobody: a service that reuses addresses, as all here do, can bind
    to it beside what is bound and does not listen.
    """
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        # Without this, connections of a service that stopped a moment ago count as "in use".
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def answers(host: str, port: int) -> bool:
    """Whether somebody listens on ``host:port``."""
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((_CLIENT_HOSTS.get(host, host), port)) == 0


def choose(
    service: str,
    preferred: int,
    *,
    avoid: Collection[int] = (),
    lost: Collection[int] = (),
    progress: Callable[[str], None],
) -> int:
    """A free port for ``service``, remembered in the home.

    A home keeps its ports between starts, so that bookmarks and BI connections go on working,
    unless the preferred port was changed in the settings.

    Parameters
    ----------
    service: ``postgres``, ``mlflow`` or ``airflow``.
    preferred: port asked for in the settings.
    avoid: ports promised to other services.
    lost: ports that others took while the service was starting; who takes port after port is
        not run after, so the next one is drawn by lot.
    progress: told when the wished port is in use.
    """
    host = get_settings().bind_host
    remembered = _read().get(service, {})
    wish = remembered.get("port", preferred) if remembered.get("preferred") == preferred else preferred
    candidates = list(range(preferred, min(preferred + _TRIES, 65536)))
    if lost:
        secrets.SystemRandom().shuffle(candidates)
    for port in (wish, *candidates):
        if port not in avoid and port not in lost and is_free(host, port):
            if port != wish and wish not in lost:
                progress(f"{service}: port {wish} is in use by another program, taking {port}")
            remember(service, preferred, port)
            return port
    raise CreditOpsError(
        f"no free port for {service} on {host} from {preferred} to {preferred + _TRIES - 1}",
        hint=f"set CREDITOPS_{service.upper()}_PORT to another start",
    )


def remembered(service: str) -> int | None:
    """The port ``service`` had when this home last started it."""
    port = _read().get(service, {}).get("port")
    return int(port) if port else None


def remember(service: str, preferred: int, port: int) -> None:
    """Keep ``port`` for the next start of ``service``."""
    ports = _read() | {service: {"preferred": preferred, "port": port}}
    replace(_file(), json.dumps(ports, indent=2) + "\n")


def _file() -> Path:
    return get_settings().home / "supervisor" / "ports.json"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _read() -> dict[str, dict[str, int]]:
    """What was remembered; nothing of it that cannot be read, since any port will do."""
    try:
        found = json.loads(_file().read_text())
        return {name: {key: int(value) for key, value in one.items()} for name, one in found.items()}
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return {}
