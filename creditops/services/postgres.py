"""The PostgreSQL server of a home: its data directory, its settings, and how it is run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from creditops.errors import CreditOpsError
from creditops.secrets import get_secret
from creditops.services import postgres_binaries, processes
from creditops.services.postgres_binaries import Binaries, ServerUser
from creditops.services.program import Program
from creditops.settings import get_settings
from creditops.warehouse.connection import OWNER

NAME = "postgres"
Progress = Callable[[str], None]
_GIB = 1024**3


def folder() -> Path:
    """``<home>/postgres``: the data directory, its settings and the marker beside it."""
    return get_settings().home / "postgres"


def data_directory() -> Path:
    return folder() / "data"


def prepare(port: int, progress: Progress) -> None:
    """Make the data directory fit to be served on ``port``; the server must not run.

    A new home gets a new cluster. A directory whose making was interrupted, or that has lost its
    identity, is moved aside and never deleted. A lock file of a server that died is removed.

    Raises
    ------
    CreditOpsError: no way to run PostgreSQL here; the data belong to another major version; a
        server that this home did not start runs on the directory.
    """
    binaries = postgres_binaries.find()
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    user = postgres_binaries.server_user(binaries, folder())
    _set_aside_if_unfinished(progress)
    if not data_directory().exists():
        progress(f"postgres: making a data directory with PostgreSQL {binaries.version}")
        _make_cluster(binaries, user)
    _check_version(binaries)
    _end_leftover_server(progress)
    _write_settings(port)
    if user is not None:
        _hand_over(user, folder() / "creditops.conf", folder() / "pg_hba.conf")


def program() -> Program:
    """The server on the prepared data directory."""
    binaries = postgres_binaries.find()
    user = postgres_binaries.server_user(binaries, folder())
    return Program(
        NAME,
        [*(user.prefix if user else []), binaries["postgres"], "-D", str(data_directory())],
        directory=folder(),
        user=user.name if user is not None and not user.search else None,
        priority=10,
        stop_signal="INT",  # fast shutdown: end sessions, write a checkpoint
        stop_seconds=60,
        # Signals to single backends would look like a crash; the postmaster tells its own.
        stop_as_group=False,
        start_seconds=1,
    )


def running_server() -> psutil.Process | None:
    """The living postmaster that holds the data directory, whoever started it."""
    try:
        pid = int((data_directory() / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        holds = str(data_directory()) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, psutil.Error):
        return None
    return process if holds else None


def started_here(server: psutil.Process) -> bool:
    """Whether the supervisor of this home started ``server``."""
    try:
        return server.environ().get(processes.MARK) == str(get_settings().home)
    except psutil.AccessDenied:
        # Root without ptrace rights cannot look into another user's process. Its command line
        # names this home's data directory in the form only this module writes.
        return server.cmdline()[-2:] == ["-D", str(data_directory())]


def end_server(process: psutil.Process) -> None:
    """Shut a postmaster down fast, and at once if that takes more than a minute."""
    for how, seconds in ((signal.SIGINT, 60), (signal.SIGQUIT, 20), (signal.SIGKILL, 10)):
        try:
            process.send_signal(how)
            process.wait(seconds)
        except psutil.TimeoutExpired:
            continue
        except psutil.NoSuchProcess:
            pass
        return


def _set_aside_if_unfinished(progress: Progress) -> None:
    data, marker = data_directory(), _marker()
    finished = marker.exists() and (data / "PG_VERSION").exists()
    if finished:
        return
    marker.unlink(missing_ok=True)
    if not data.exists():
        return
    if not any(data.iterdir()):
        data.rmdir()
        return
    aside = folder() / f"data.unfinished-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    data.rename(aside)
    progress(
        f"postgres: the data directory was half made; moved to {aside} and made anew "
        "(remove it when nothing in it is missed)"
    )


def _make_cluster(binaries: Binaries, user: ServerUser | None) -> None:
    password_file = folder() / "owner-password"
    descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(get_secret("postgres_owner") + "\n")
    if user is not None:
        _hand_over(user, password_file)
    # The builtin provider sorts alike on every machine; before version 17 only C does.
    locale = ["--locale-provider=builtin", "--locale=C.UTF-8"] if binaries.major >= 17 else ["--no-locale"]
    command = [
        *(user.prefix if user else []),
        binaries["initdb"],
        f"--pgdata={data_directory()}",
        f"--username={OWNER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--data-checksums",
        *locale,
    ]
    try:
        made = subprocess.run(
            command, cwd=folder(), capture_output=True, text=True, **(user.switch if user else {})
        )
    finally:
        password_file.unlink()
    if made.returncode != 0:
        shutil.rmtree(data_directory(), ignore_errors=True)
        raise CreditOpsError(
            f"initdb of PostgreSQL {binaries.version} failed: {(made.stderr or made.stdout).strip()}",
            hint="see `creditops doctor`",
        )
    with (data_directory() / "postgresql.conf").open("a") as handle:
        handle.write("\ninclude = '../creditops.conf'  # written anew at every start\n")
    _marker().write_text(json.dumps({"major": binaries.major, "made_at": datetime.now(UTC).isoformat()}))


def _check_version(binaries: Binaries) -> None:
    major = int((data_directory() / "PG_VERSION").read_text().strip())
    if major != binaries.major:
        raise CreditOpsError(
            f"{data_directory()} was made by PostgreSQL {major}, and {binaries.folder} is {binaries.version}",
            hint=f"set CREDITOPS_POSTGRES_BIN to the bin folder of a PostgreSQL {major}, "
            "or carry the data over with pg_dump",
        )


def _end_leftover_server(progress: Progress) -> None:
    server = running_server()
    lock = data_directory() / "postmaster.pid"
    if server is not None:
        if not started_here(server):
            raise CreditOpsError(
                f"PostgreSQL with pid {server.pid} serves {data_directory()}, not started by this home",
                hint="stop it with pg_ctl first",
            )
        progress(f"postgres: a server without supervisor (pid {server.pid}) was left behind, ending it")
        end_server(server)
    if lock.exists():
        lock.unlink()
        progress("postgres: removed the lock file of a server that died; it recovers from its log")


def _write_settings(port: int) -> None:
    settings = get_settings()
    memory = psutil.virtual_memory().total
    shared_memory = Path("/dev/shm")
    roomy = not shared_memory.exists() or shutil.disk_usage(shared_memory).total >= _GIB // 4
    values = {
        "listen_addresses": f"'{settings.bind_host}'",
        "port": port,
        "unix_socket_directories": "''",
        "hba_file": f"'{folder() / 'pg_hba.conf'}'",
        "cluster_name": "'creditops'",
        "max_connections": 200,
        "shared_buffers": "512MB" if memory >= 6 * _GIB else "128MB",
        "effective_cache_size": f"{memory // 2 // 1024**2}MB",
        "work_mem": "64MB" if memory >= 6 * _GIB else "16MB",
        "maintenance_work_mem": "256MB" if memory >= 6 * _GIB else "64MB",
        "max_wal_size": "4GB",
        # Nothing follows this server's log, so tables that are filled as a whole need not be written to it.
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "checkpoint_timeout": "15min",
        "random_page_cost": 1.1,
        "jit": "off",
        "fsync": "on",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "lc_messages": "'C'",
        "log_line_prefix": "'%m [%p] %q%u@%d '",
        "log_checkpoints": "off",
        # Parallel queries need shared memory that small containers do not give.
        "dynamic_shared_memory_type": "posix" if roomy else "mmap",
    }
    (folder() / "creditops.conf").write_text("".join(f"{name} = {value}\n" for name, value in values.items()))
    rules = ["host all all 127.0.0.1/32 scram-sha-256", "host all all ::1/128 scram-sha-256"]
    if settings.bind_host not in ("127.0.0.1", "::1", "localhost"):
        # From elsewhere only what is published.
        rules.append("host warehouse bi_reader all scram-sha-256")
    (folder() / "pg_hba.conf").write_text("\n".join(rules) + "\n")


def _hand_over(user: ServerUser, *paths: Path) -> None:
    for path in paths:
        os.chown(path, user.uid, user.gid)
        path.chmod(0o600)


def _marker() -> Path:
    return folder() / "initialised"
