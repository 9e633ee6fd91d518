"""The PostgreSQL server of a home: its data directory, its settings, and how it is run."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from creditops import clock
from creditops.errors import CreditOpsError
from creditops.files import replace
from creditops.secrets import get_secret
from creditops.services import postgres_binaries, processes, server_user
from creditops.services.postgres_binaries import Binaries
from creditops.services.program import Program
from creditops.services.server_user import ServerUser
from creditops.settings import get_settings
from creditops.warehouse.connection import OWNER

NAME = "postgres"
Progress = Callable[[str], None]
_GIB = 1024**3
_IN_EVERY_CLUSTER = ("PG_VERSION", "global/pg_control", "postgresql.conf")
_INCLUDES = re.compile(r"^include = '(?:\.\./)?creditops\.conf'.*\n", re.MULTILINE)
# The folder that the server was started in, which it may not be able to reach by its path.
_ENTERED = "/proc/self/cwd"


def folder() -> Path:
    """``<home>/postgres``: the data directory, its settings and the marker beside it."""
    return get_settings().home / "postgres"


def data_directory() -> Path:
    return folder() / "data"


def prepare(port: int, progress: Progress) -> None:
    """Make the data directory fit to be served on ``port``; the server must not run.

    A new home gets a new cluster, made aside and then put in place, so what is there is whole. A
    lock file of a server that died is removed.

    Raises
    ------
    CreditOpsError: no way to run PostgreSQL here; the data are gone, damaged, or belong to another
        major version; a server that this home did not start runs on the directory.
    """
    binaries = postgres_binaries.find()
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(folder(), 0, 0)
    folder().chmod(0o700)
    if not _has_cluster(progress):
        progress(f"postgres: making a data directory with PostgreSQL {binaries.version}")
        _make_cluster(binaries, progress)
    _check_version(binaries)
    _end_leftover_server(progress)
    user = server_user.of(data_directory())
    if user is not None:
        if data_directory().stat().st_uid != user.uid:
            server_user.hand_over(user, data_directory())
        server_user.within_reach(user, binaries, progress)
    _write_settings(port, user)


def program() -> Program:
    """The server on the prepared data directory."""
    binaries = postgres_binaries.find()
    user = server_user.of(data_directory())
    if user is not None:
        binaries = server_user.within_reach(user, binaries, lambda _: None)
    data = _ENTERED if user is not None else str(data_directory())
    command = [binaries["postgres"], "-D", data, "-c", _home_setting()]
    return Program(
        NAME,
        user.command(data_directory(), *command) if user is not None else command,
        directory=folder(),
        priority=10,
        stop_signal="INT",  # fast shutdown: end sessions, write a checkpoint
        stop_seconds=60,
        # The postmaster ends its own; signals to single backends would look like a crash.
        kept=False,
        start_seconds=1,
    )


def running_server() -> psutil.Process | None:
    """The living postmaster that holds the data directory, whoever started it."""
    try:
        pid = int((data_directory() / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        words = process.cmdline()
        # An earlier version named the directory alone.
        known = _home_setting() in words or str(data_directory()) in words
        holds = known and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, psutil.Error):
        return None
    return process if holds else None


def started_here(server: psutil.Process) -> bool:
    """Whether the supervisor of this home started ``server``."""
    try:
        return server.environ().get(processes.MARK) == str(get_settings().home)
    except psutil.AccessDenied:
        # Root without ptrace rights cannot look into another user's process; its command line names
        # the home in the form only this module writes.
        return _home_setting() in server.cmdline()


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


def _has_cluster(progress: Progress) -> bool:
    """Whether the home has its data; ``False`` only where there have never been any.

    Raises
    ------
    CreditOpsError: there were data and they are gone or damaged.
    """
    data, marker = data_directory(), _marker()
    present = [name for name in _IN_EVERY_CLUSTER if (data / name).exists()]
    if len(present) == len(_IN_EVERY_CLUSTER):
        if not marker.exists():
            progress(f"postgres: {marker} is lost; the data in {data} are whole and are used as they are")
            _write_marker((data / "PG_VERSION").read_text().strip())
        return True
    found = data.is_dir() and any(data.iterdir())
    if not found and not marker.exists():
        return False
    missing = ", ".join(name for name in _IN_EVERY_CLUSTER if name not in present)
    raise CreditOpsError(
        f"{data} is {f'damaged: it has no {missing}' if found else 'gone'}, and this home kept data there",
        hint=f"put {data} back from a backup; or, to begin with an empty warehouse, move "
        f"{folder()} elsewhere and run `creditops up` again",
    )


def _make_cluster(binaries: Binaries, progress: Progress) -> None:
    data, making = data_directory(), folder() / "data.making"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    user, maker = server_user.of(data), None
    if user is not None:
        maker = server_user.maker()
        server_user.hand_over(maker, making)
        binaries = server_user.within_reach(user, binaries, progress)
    # The builtin provider sorts alike on every machine; before version 17 only C does.
    locale = ["--locale-provider=builtin", "--locale=C.UTF-8"] if binaries.major >= 17 else ["--no-locale"]
    with tempfile.TemporaryFile("w+") as password:
        password.write(get_secret("postgres_owner") + "\n")
        password.seek(0)
        if maker is not None:
            os.fchown(password.fileno(), maker.uid, maker.gid)
        command = [
            binaries["initdb"],
            f"--pgdata={making if maker is None else _ENTERED}",
            f"--username={OWNER}",
            f"--pwfile=/dev/fd/{password.fileno()}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--data-checksums",
            *locale,
        ]
        made = subprocess.run(
            command if maker is None else maker.command(making, *command),
            cwd=folder(),
            capture_output=True,
            text=True,
            pass_fds=(password.fileno(),),
        )
    if made.returncode != 0:
        shutil.rmtree(making, ignore_errors=True)
        raise CreditOpsError(
            f"initdb of PostgreSQL {binaries.version} failed: {(made.stderr or made.stdout).strip()}",
            hint="see `creditops doctor`",
        )
    if user is not None:
        server_user.hand_over(user, making)
    if data.is_dir():
        data.rmdir()
    making.rename(data)
    _write_marker(str(binaries.major))


def _write_marker(major: str) -> None:
    made = {"major": int(major), "made_at": clock.now().isoformat()}
    replace(_marker(), json.dumps(made) + "\n")


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


def _write_settings(port: int, user: ServerUser | None) -> None:
    settings = get_settings()
    memory = psutil.virtual_memory().total
    shared_memory = Path("/dev/shm")
    roomy = not shared_memory.exists() or shutil.disk_usage(shared_memory).total >= _GIB // 4
    values = {
        "listen_addresses": f"'{settings.bind_host}'",
        "port": port,
        "unix_socket_directories": "''",
        "cluster_name": "'creditops'",
        "max_connections": 200,
        # For the platform's own roles, however many readers there are.
        "reserved_connections": 60,
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
    if postgres_binaries.find().major >= 17:
        values["max_notify_queue_pages"] = 256  # 2 MB: anybody who may connect may fill the queue
    rules = ["host all all 127.0.0.1/32 scram-sha-256", "host all all ::1/128 scram-sha-256"]
    if settings.bind_host not in ("127.0.0.1", "::1", "localhost"):
        # From elsewhere only what is published.
        rules.append("host warehouse bi_reader all scram-sha-256")
    main = (data_directory() / "postgresql.conf").read_text()
    for name, text in {
        "creditops.conf": "".join(f"{name} = {value}\n" for name, value in values.items()),
        "pg_hba.conf": "\n".join(rules) + "\n",
        "postgresql.conf": _INCLUDES.sub("", main) + "include = 'creditops.conf'  # written at every start\n",
    }.items():
        replace(data_directory() / name, text, owner=(user.uid, user.gid) if user is not None else None)


def _home_setting() -> str:
    """A setting without effect, by which the server's command line names its home."""
    return f"creditops.home={get_settings().home}"


def _marker() -> Path:
    return folder() / "initialised"
