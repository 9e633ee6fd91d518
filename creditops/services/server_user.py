"""As which user PostgreSQL runs when root starts it, and executables within that user's reach.

PostgreSQL refuses to run as root, and what root owns is often closed to everybody else: a home of
mode 0700, a checkout below ``/root``. So the server runs as a user of its own, who enters the data
directory before the rights are given up (:mod:`.run_as`), and executables out of its reach are
copied to a place that root alone writes to.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from creditops.errors import CreditOpsError
from creditops.files import replace
from creditops.services import run_as
from creditops.services.postgres_binaries import Binaries
from creditops.settings import get_settings

Progress = Callable[[str], None]
#: User ids without an account, in the range that Linux sets apart for passing services.
_OWN_IDS = range(61184, 65520)
#: What a server needs of its installation.
_PARTS = ("bin", "lib", "lib64", "share")
_NAMED = "of-home"


@dataclass(frozen=True)
class ServerUser:
    """The unprivileged user that runs the server."""

    uid: int
    gid: int

    def command(self, folder: Path, *command: str) -> list[str]:
        """``command`` as this user in ``folder``, which only root needs to reach."""
        identity = (str(self.uid), str(self.gid), str(folder))
        return [sys.executable, "-I", "-S", run_as.__file__, *identity, *command]


def of(data: Path) -> ServerUser | None:
    """The user of the server on the directory ``data``, which need not exist; ``None``: this user.

    Data that belong to somebody keep their owner. Others get an id that no account has, so that
    no other program runs as the owner of the data.
    """
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError):
        owner = data.stat()
        if owner.st_uid not in (0, *_everybodys()):
            return ServerUser(owner.st_uid, owner.st_gid)
    first = int(sha256(os.fsencode(get_settings().home)).hexdigest(), 16)
    for step in range(len(_OWN_IDS)):
        uid = _OWN_IDS[(first + step) % len(_OWN_IDS)]
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return ServerUser(uid, uid)
    raise CreditOpsError("no user id is left for PostgreSQL", hint="run creditops as an ordinary user")


def maker() -> ServerUser:
    """Some account but root, which `initdb` needs: it looks its user up by name."""
    accounts = {account.pw_name: account for account in pwd.getpwall() if account.pw_uid}
    account = accounts.get("postgres") or accounts.get("nobody") or next(iter(accounts.values()), None)
    if account is None:
        raise CreditOpsError(
            "PostgreSQL must not run as root, and this machine has no other user",
            hint="add one, or run creditops as an ordinary user",
        )
    return ServerUser(account.pw_uid, account.pw_gid)


def hand_over(user: ServerUser, folder: Path) -> None:
    """Give ``folder`` and all below it to ``user``.

    Raises
    ------
    CreditOpsError: the machine does not let root do so (a container with few user ids).
    """
    try:
        for above, folders, files in os.walk(folder):
            for name in ("", *folders, *files):
                os.chown(Path(above, name), user.uid, user.gid, follow_symlinks=False)
    except OSError as error:
        raise CreditOpsError(
            f"root cannot hand {folder} over to user {user.uid}: {error.strerror}",
            hint="run creditops as an ordinary user, or set CREDITOPS_DATABASE_URL",
        ) from error


def within_reach(user: ServerUser, binaries: Binaries, progress: Progress) -> Binaries:
    """``binaries`` where ``user`` can run them, else a copy that it can.

    The copy is noted in the home, used again while it is that of ``binaries``, and removed by
    :func:`remove_copy`.

    Raises
    ------
    CreditOpsError: no place for a copy lets the user run it.
    """
    if _problem(user, binaries) is None:
        return binaries
    note = _note()
    digest = sha256(f"{get_settings().home}\0{binaries.folder}\0{_stamp(binaries)}".encode()).hexdigest()[:12]
    name = f"postgresql-{binaries.version}-{digest}"
    problems = []
    for base in _places():
        copy = Binaries(base / name / _tail(binaries) / "bin", binaries.major, binaries.version)
        try:
            _open_to_all(base)
            if _problem(user, copy) is not None:
                _copy(binaries, base / name)
        except (OSError, CreditOpsError) as error:
            problems.append(str(error))
            continue
        problem = _problem(user, copy)
        if problem is None:
            if not note.exists() or note.read_text().strip() != str(base / name):
                remove_copy()
                replace(note, f"{base / name}\n")
                progress(
                    f"postgres: {binaries.folder.parent} is closed to the server's user; its executables "
                    f"are copied to {base / name} (`make clean` removes them)"
                )
            return copy
        shutil.rmtree(base / name, ignore_errors=True)
        problems.append(problem)
    raise CreditOpsError(
        f"PostgreSQL must not run as root, and no other user can run {binaries.folder}: {problems[-1]}",
        hint="set CREDITOPS_POSTGRES_BIN to a PostgreSQL that everybody can run, run creditops as an "
        "ordinary user, or set CREDITOPS_DATABASE_URL",
    )


def remove_copy() -> None:
    """Remove the copy of the executables that this home has made, if any."""
    note = _note()
    if note.exists():
        copy = Path(note.read_text().strip())
        named = copy / _NAMED
        if named.exists() and named.read_text().strip() == str(get_settings().home):
            shutil.rmtree(copy)
        note.unlink()


def _note() -> Path:
    return get_settings().home / "postgres" / "executables"


def _everybodys() -> Iterator[int]:
    """Ids that many programs share, so that what belongs to them is open to strangers."""
    with suppress(KeyError):
        yield pwd.getpwnam("nobody").pw_uid


def _places() -> list[Path]:
    return [Path("/var/lib/creditops"), Path(tempfile.gettempdir()) / "creditops-executables"]


def _open_to_all(base: Path) -> None:
    """Make ``base``; refuse one that somebody else could write to."""
    base.mkdir(mode=0o755, exist_ok=True)
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise CreditOpsError(f"{base} is not a folder that root alone writes to")
    base.chmod(0o755)
    for copy in base.glob("postgresql-*"):
        named = copy / _NAMED
        if named.exists() and not Path(named.read_text().strip()).exists():
            shutil.rmtree(copy, ignore_errors=True)


def _copy(binaries: Binaries, target: Path) -> None:
    installed = binaries.folder.parent
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        place = draft / _tail(binaries)
        for part in _PARTS:
            if (installed / part).is_dir():
                shutil.copytree(installed / part, place / part)
        # Wheels keep libraries in a folder beside the package.
        libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name)
        for above, _, files in os.walk(draft):
            Path(above).chmod(0o755)
            for name in files:
                path = Path(above, name)
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        (draft / _NAMED).write_text(f"{get_settings().home}\n")
        (draft / _NAMED).chmod(0o600)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _tail(binaries: Binaries) -> Path:
    installed = binaries.folder.parent
    return Path(installed.parent.name, installed.name)


def _stamp(binaries: Binaries) -> str:
    found = (binaries.folder / "postgres").stat()
    return f"{found.st_size} {found.st_mtime_ns}"


def _problem(user: ServerUser, binaries: Binaries) -> str | None:
    """Why ``user`` cannot run the executables; ``None`` if it can."""
    try:
        answer = subprocess.run(
            user.command(Path("/"), binaries["postgres"], "--version"),
            capture_output=True,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if answer.returncode == 0 else answer.stderr.strip().rsplit("\n", 1)[-1]
