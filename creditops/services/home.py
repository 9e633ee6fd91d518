"""Folders of a home that services use, their permissions, and the lock that `up` and `down` take."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from creditops.errors import CreditOpsError, UsageError
from creditops.files import replace
from creditops.services import server_user
from creditops.settings import get_settings

PRIVATE_FOLDERS = (
    "airflow",
    "data_docs",
    "fetching",
    "landing",
    "logs",
    "mlflow",
    "postgres",
    "reports",
    "simulated",
    "supervisor",
)
# Longest path that fits in sockaddr_un everywhere, less the suffix supervisor adds while it binds.
_SOCKET_PATH = 90
# Characters that supervisor's configuration format gives a meaning of their own.
_UNUSABLE = frozenset("\"';#\n")


def prepare() -> Path:
    """Make the home and its folders, closed to other users, and return it.

    Landed files hold personal data, so everything is 0700.

    Raises
    ------
    UsageError: the path holds characters that the supervisor cannot express.
    CreditOpsError: the home belongs to somebody else.
    """
    home = get_settings().home
    unusable = _UNUSABLE.intersection(str(home))
    if unusable:
        raise UsageError(
            f"CREDITOPS_HOME {home} holds {' '.join(sorted(unusable))!r}", hint="choose another folder"
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)
        for name in PRIVATE_FOLDERS:
            folder = home / name
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
    except PermissionError as error:
        raise CreditOpsError(
            f"no right to write to the home {home}: {error.strerror}: {error.filename}",
            hint="use the user who made it, or set CREDITOPS_HOME to a folder of your own",
        ) from error
    return home


@contextmanager
def locked(progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the home's lock: one `up` or `down` at a time; a second one waits for the first."""
    path = prepare() / "supervisor" / "lock"
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another `creditops up` or `down` is at work on this home, waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def remove() -> None:
    """Remove the home and what it keeps elsewhere; its services must be stopped."""
    home = get_settings().home
    server_user.remove_copy()
    socket = socket_file()
    if not socket.is_relative_to(home):
        shutil.rmtree(socket.parent, ignore_errors=True)
    shutil.rmtree(home)


def socket_file() -> Path:
    """Path of the supervisor's socket; if too long for one, in a private folder of the temp directory.

    That folder has a name by chance, kept in the home, so that nobody can make it first.
    """
    home = get_settings().home
    path = home / "supervisor" / "supervisor.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH or not path.parent.is_dir():  # nothing was ever started
        return path
    kept = home / "supervisor" / "socket_folder"
    folder = Path(kept.read_text(encoding="utf-8")) if kept.exists() else None
    if folder is None or not _is_private(folder):
        folder = Path(tempfile.mkdtemp(prefix="creditops-"))
        replace(kept, str(folder))
    return folder / "supervisor.sock"


def _is_private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
