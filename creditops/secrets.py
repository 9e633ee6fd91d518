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

from creditops.errors import CreditOpsError
from creditops.files import replace
from creditops.settings import get_settings


def get_secret(name: str, *, nbytes: int = 24) -> str:
    """The secret called ``name`` (``a-z0-9_``), generated once and kept.

    Parameters
    ----------
    name: for example ``postgres_loader`` or ``pii_key``.
    nbytes: length of the random value when it is generated.

    Raises
    ------
    CreditOpsError: the file cannot be read as what was written; it is left as it is.
    """
    from_environment = os.environ.get(f"CREDITOPS_SECRET_{name.upper()}")
    if from_environment:
        return from_environment
    path = get_settings().home / "secrets.json"
    kept = _read(path)
    if name in kept:
        return kept[name]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The file itself is replaced whole, so the lock is on one beside it.
    with os.fdopen(os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = _read(path)
        if name not in kept:
            kept[name] = _random.token_urlsafe(nbytes)
            replace(path, json.dumps(kept, indent=2, sort_keys=True))
        return kept[name]


def _read(path: Path) -> dict[str, str]:
    """What is kept; closes the file to others if it was open to them."""
    try:
        with path.open(encoding="utf-8") as handle:
            if os.fstat(handle.fileno()).st_mode & 0o077:
                os.fchmod(handle.fileno(), 0o600)
            values = json.load(handle)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise _damaged(path, "is no JSON") from error
    if not isinstance(values, dict) or not all(value and isinstance(value, str) for value in values.values()):
        raise _damaged(path, "does not hold a text for each name")
    return values


def _damaged(path: Path, how: str) -> CreditOpsError:
    return CreditOpsError(
        f"{path} is damaged: it {how}",
        hint="put it back from a backup: it holds the key by which personal data are hashed and the "
        "passwords of the database; only where there are no data yet, remove it and new ones are made",
    )
