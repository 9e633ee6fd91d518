"""Which port a service takes: the one it had, else the preferred one, else the next free one."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Collection
from pathlib import Path

from creditops.errors import CreditOpsError
from creditops.settings import get_settings

_TRIES = 200


def is_free(host: str, port: int) -> bool:
    """Whether a service could listen on ``host:port`` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Without this, connections of a service that stopped a moment ago count as "in use".
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose(
    service: str, preferred: int, *, avoid: Collection[int] = (), progress: Callable[[str], None]
) -> int:
    """A free port for ``service``, remembered in the home.

    A home keeps its ports between starts, so that bookmarks and BI connections go on working,
    unless the preferred port was changed in the settings.

    Parameters
    ----------
    service: ``postgres``, ``mlflow`` or ``airflow``.
    preferred: port asked for in the settings.
    avoid: ports promised to other services or found taken a moment ago.
    progress: told when the wished port is in use.
    """
    host = get_settings().bind_host
    remembered = _read().get(service, {})
    wish = remembered["port"] if remembered.get("preferred") == preferred else preferred
    for port in (wish, *range(preferred, min(preferred + _TRIES, 65536))):
        if port not in avoid and is_free(host, port):
            if port != wish:
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
    draft = _file().with_suffix(".tmp")
    draft.write_text(json.dumps(ports, indent=2) + "\n")
    draft.replace(_file())


def _file() -> Path:
    return get_settings().home / "supervisor" / "ports.json"


def _read() -> dict[str, dict[str, int]]:
    try:
        found: dict[str, dict[str, int]] = json.loads(_file().read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found
