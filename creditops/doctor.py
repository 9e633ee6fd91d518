"""Checks of the machine and the home, each with what to do when it fails."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psutil
import psycopg
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from creditops import clock
from creditops.declarations import broken_files
from creditops.errors import CreditOpsError, DataRefusedError
from creditops.publish import published_tables
from creditops.services import (
    airflow_components,
    lifecycle,
    ports,
    postgres,
    postgres_binaries,
    server_user,
    supervision,
)
from creditops.services.catalogue import ALL
from creditops.settings import PROJECT_ROOT, get_settings
from creditops.sources.contract import load_book_contracts, load_contracts
from creditops.warehouse import migrate, raw_tables, readers
from creditops.warehouse.connection import address, connect

_GIB = 1024**3
DISK_NEEDED = 5 * _GIB
MEMORY_NEEDED = 3 * _GIB
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)\s*(?:;\s*([^\\]+?))?\s*\\?$")


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes
    ----------
    check: what was looked at.
    ok: whether it is as it should be.
    detail: what was found.
    remedy: what to do about it; empty when it is fine.
    """

    check: str
    ok: bool
    detail: str
    remedy: str = ""


def diagnose() -> list[Finding]:
    """Look at everything; changes nothing, needs no service to run."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _disk,
        _memory,
        _home,
        _secrets,
        _declarations,
        _postgres,
        _ports,
        _time,
        _left_behind,
        _services,
        _tables,
    )
    return [finding for check in checks for finding in check()]


def _python() -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    fine = (3, 11) <= sys.version_info < (3, 14)
    yield Finding("python", fine, found, "" if fine else "make the environment with Python 3.11 to 3.13")


def _packages() -> Iterator[Finding]:
    lock = PROJECT_ROOT / "requirements.lock"
    if not lock.exists():
        yield Finding("packages", True, "installed without requirements.lock")
        return
    wrong, pinned = [], 0
    for name, wanted in _pins(lock):
        pinned += 1
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "missing"
        if installed != wanted:
            wrong.append(f"{name} {installed}, wanted {wanted}")
    detail = "; ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
    yield Finding(
        "packages",
        not wrong,
        detail or f"{pinned} as in requirements.lock",
        "run `make setup`" if wrong else "",
    )
    loose = not (Path(psutil.__file__).parent / "__pycache__").exists()
    yield Finding(
        "byte code",
        True,
        "packages are not compiled, so services start slowly" if loose else "compiled",
        f"{sys.executable} -m compileall -q {Path(psutil.__file__).parent.parent}" if loose else "",
    )


def _pins(lock: Path) -> Iterator[tuple[str, str]]:
    """Name and version of each line of the lock that applies to this interpreter."""
    for line in lock.read_text().splitlines():
        pin = _PINNED.match(line)
        if pin and (not pin[3] or Marker(pin[3]).evaluate()):
            yield canonicalize_name(pin[1]), pin[2]


def _disk() -> Iterator[Finding]:
    place = _existing(get_settings().home)
    free = shutil.disk_usage(place).free
    fine = free >= DISK_NEEDED
    remedy = f"free {DISK_NEEDED // _GIB} GiB, or set CREDITOPS_HOME to a larger disk"
    yield Finding("disk", fine, f"{free / _GIB:.1f} GiB free at {place}", "" if fine else remedy)


def _memory() -> Iterator[Finding]:
    running = any(state.pid for state in supervision.states().values())
    free = psutil.virtual_memory().available
    fine = running or free >= MEMORY_NEEDED
    remedy = f"the services and a run need about {MEMORY_NEEDED // _GIB} GiB; end other programs"
    yield Finding("memory", fine, f"{free / _GIB:.1f} GiB available", "" if fine else remedy)


def _home() -> Iterator[Finding]:
    home = get_settings().home
    if not home.exists():
        above = _existing(home)
        fine = os.access(above, os.W_OK | os.X_OK)
        remedy = f"give this user the right to write to {above}, or set CREDITOPS_HOME"
        yield Finding("home", fine, f"{home} is not made yet", "" if fine else remedy)
        return
    mode = stat.S_IMODE(home.stat().st_mode)
    mine = home.stat().st_uid == os.geteuid() and os.access(home, os.W_OK | os.X_OK)
    closed = not mode & (stat.S_IRGRP | stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH)
    remedy = "" if mine else "use the user who owns it, or set CREDITOPS_HOME to a folder of your own"
    if mine and not closed:
        remedy = f"chmod go-rw {home}: it holds personal data (`creditops up` does so)"
    yield Finding("home", mine and closed, f"{home}, mode {mode:04o}", remedy)


def _secrets() -> Iterator[Finding]:
    home = get_settings().home
    kept = [home / "secrets.json", airflow_components.passwords_file()]
    if os.access(home / "supervisor", os.R_OK | os.X_OK):
        kept += (home / "supervisor" / "programs").glob("*.conf")
    kept = [path for path in kept if os.access(path, os.F_OK)]
    if kept:
        readable = [path for path in kept if path.stat().st_mode & 0o077]
        names = " ".join(map(str, readable))
        remedy = f"chmod 600 {names}; change what they hold if others could have read them"
        detail = f"others can read {names}" if readable else f"{len(kept)} files, all closed to others"
        yield Finding("secrets", not readable, detail, remedy if readable else "")


def _declarations() -> Iterator[Finding]:
    """Users' contracts, adapters, places and scorecards; a broken one stops only what uses it."""
    broken = broken_files()
    for each in broken:
        yield Finding(each.kind, False, each.error.message, each.error.hint or "")
    if not broken:
        yield Finding("your own files", True, "contracts, adapters, places and scorecards are without fault")


def _postgres() -> Iterator[Finding]:
    if get_settings().database_url is not None:
        yield Finding("postgresql", True, "runs elsewhere (CREDITOPS_DATABASE_URL)")
        return
    try:
        binaries = postgres_binaries.find()
    except CreditOpsError as error:
        yield Finding("postgresql", False, error.message, error.hint or "")
        return
    yield Finding("postgresql", True, f"{binaries.version} in {binaries.folder}")
    if os.geteuid() == 0:
        user = server_user.of(postgres.data_directory())
        yield Finding(
            "unprivileged user", True, f"root: PostgreSQL runs as user id {user.uid}" if user else ""
        )
    made = postgres.data_directory() / "PG_VERSION"
    try:
        major = int(made.read_text()) if made.exists() else binaries.major
    except PermissionError as error:
        yield Finding("data directory", False, str(error), "use the user who made the home")
        return
    fine = major == binaries.major
    remedy = f"set CREDITOPS_POSTGRES_BIN to a PostgreSQL {major}" if not fine else ""
    yield Finding("data directory", fine, f"PostgreSQL {major}" if made.exists() else "not made yet", remedy)


def _ports() -> Iterator[Finding]:
    host = get_settings().bind_host
    states = supervision.states()
    for service in ALL.values():
        state = states.get(service.program_names[0])
        if service.elsewhere() or (state and state.pid):
            continue
        port = service.preferred_port()
        free = ports.is_free(host, port)
        detail = f"{port} is free" if free else f"{port} is in use: `creditops up` takes the next free one"
        yield Finding(f"port of {service.name}", True, detail)


def _time() -> Iterator[Finding]:
    zone = get_settings().timezone
    try:
        ZoneInfo(zone)
        yield Finding("time zones", True, f"{zone} is known")
    except (ZoneInfoNotFoundError, ValueError):
        remedy = "install tzdata, or set CREDITOPS_TIMEZONE to a zone of the IANA database"
        yield Finding("time zones", False, f"{zone} is unknown", remedy)
    now, installed = clock.now(), datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    sane = now.timestamp() > installed.timestamp() - 24 * 3600
    remedy = "set the clock: runs and publications are told apart by time"
    yield Finding("clock", sane, f"{now:%Y-%m-%d %H:%M:%S} UTC", "" if sane else remedy)


def _left_behind() -> Iterator[Finding]:
    """Processes without a supervisor, and a lock file without a server."""
    alone = lifecycle.left_behind()
    lock = postgres.data_directory() / "postmaster.pid"
    try:
        stale = lock.exists() and postgres.running_server() is None
    except PermissionError:
        stale = False
    found = [f"{len(alone)} processes without a supervisor"] if alone else []
    found += [f"stale lock file {lock}"] if stale else []
    remedy = "`creditops up` or `creditops down` ends and removes them" if found else ""
    yield Finding("left behind", not found, "; ".join(found) or "nothing", remedy)


def _services() -> Iterator[Finding]:
    running = supervision.is_running()
    for service in lifecycle.status().services:
        if service.state == "external" or running:
            remedy = f"see {service.log}" if service.log else f"is {service.address} right, and up?"
            yield Finding(
                service.name,
                service.healthy,
                service.problem or f"healthy at {service.address}",
                "" if service.healthy else remedy,
            )
    if not running:
        yield Finding("services", True, "not started", "start them with `creditops up`")


def _tables() -> Iterator[Finding]:
    """Tables and views of the warehouse, beside what contracts say; nothing where it does not answer."""
    if not get_settings().home.exists():
        return  # there are no passwords yet, and looking makes none
    try:
        address()
        with connect("builder") as connection:
            behind = _migrations(connection)
            raw = list(_raw_differences(connection))
        with connect("publisher") as connection:
            published = published_tables.differences(connection)
    except CreditOpsError:
        return
    yield behind
    for place, detail, remedy in raw:
        yield Finding(place, False, detail, remedy)
    for each in published:
        yield Finding(
            "published tables", False, f"{each.place} is {each.now} but should be {each.wanted}", each.remedy
        )
    if not raw and not published:
        yield Finding("tables", True, "as their contracts say")
    changed = readers.has_another_password()
    yield Finding(
        f"password of {readers.READER}",
        not changed,
        "a reader has changed it" if changed else "the platform's",
        "`creditops up` sets it back, and so does the daily maintenance" if changed else "",
    )


def _migrations(connection: psycopg.Connection) -> Finding:
    try:
        waiting = migrate.pending(connection)
    except DataRefusedError as error:
        return Finding("migrations", False, error.message, error.hint or "")
    if waiting:
        said = "; ".join(each.sentence() for each in waiting)
        return Finding("migrations", False, f"not run yet: {said}", "`creditops up` runs them")
    return Finding("migrations", True, f"the warehouse is at {migrate.known()[-1].revision}")


def _raw_differences(connection: psycopg.Connection) -> Iterator[tuple[str, str, str]]:
    for contract in (*load_contracts().values(), *load_book_contracts()):
        try:
            raw_tables.difference(connection, contract)
        except DataRefusedError as error:
            yield "raw tables", error.message, error.hint or ""


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
