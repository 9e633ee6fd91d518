"""Generated secrets, kept in ``<home>/secrets.json`` with mode 0600.

A value in the environment (``CREDITOPS_SECRET_<NAME>``, upper case) wins over the file, so that
a deployment keeps its secrets in its own store. Values are never logged.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets as _random
from pathlib import Path

from creditops.settings import get_settings


def get_secret(name: str, *, nbytes: int = 24) -> str:
    """The secret called ``name`` (``a-z0-9_``), generated once and kept.

    Parameters
    ----------
    name: for example ``postgres_loader`` or ``pii_key``.
    nbytes: length of the random value when it is generated.
    """
    from_environment = os.environ.get(f"CREDITOPS_SECRET_{name.upper()}")
    if from_environment:
        return from_environment
    path = get_settings().home / "secrets.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        text = handle.read()
        values: dict[str, str] = json.loads(text) if text else {}
        if name not in values:
            values[name] = _random.token_urlsafe(nbytes)
            _replace(path, json.dumps(values, indent=2, sort_keys=True), handle)
        return values[name]


def _replace(path: Path, text: str, handle) -> None:  # type: ignore[no-untyped-def]
    handle.seek(0)
    handle.truncate()
    handle.write(text)
    handle.flush()
    os.fsync(handle.fileno())
    path.chmod(0o600)
