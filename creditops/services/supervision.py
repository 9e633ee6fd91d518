"""The process manager of a home: supervisord, spoken to over its socket.

Programs are described one file each in ``<home>/supervisor/programs``, so that starting some
services never touches the others. The supervisor listens on no network address.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import xmlrpc.client
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from creditops.errors import CreditOpsError, ServiceUnreachableError
from creditops.files import replace
from creditops.services import home as home_folder
from creditops.services import processes
from creditops.services.program import Program
from creditops.settings import PROJECT_ROOT, get_settings

_STOPPED = ("STOPPED", "EXITED", "FATAL")
_ALREADY_STARTED, _NOT_RUNNING, _ALREADY_ADDED = 60, 70, 90

# Two services are described at a time; the supervisor reads all files whenever one is new.
_APPLYING = threading.Lock()


@dataclass(frozen=True)
class ProgramState:
    """What the supervisor knows of a program.

    Attributes
    ----------
    state: one of supervisor's states: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL.
    pid: process id, ``None`` when it does not run.
    started_at: seconds since the epoch of its latest start.
    problem: supervisor's words on why it does not run, or an empty text.
    """

    name: str
    state: str
    pid: int | None
    started_at: float
    problem: str


def log_file(name: str) -> Path:
    """Log of the program ``name``."""
    return get_settings().logs / f"{name}.log"


def is_running() -> bool:
    """Whether this home's supervisor answers."""
    try:
        return bool(_call("supervisor.getState"))
    except ServiceUnreachableError:
        return False


def start_supervisor() -> None:
    """Start the supervisor unless it answers already.

    Raises
    ------
    ServiceUnreachableError: it does not come up.
    """
    if is_running():
        return
    folder = get_settings().home / "supervisor"
    replace(folder / "supervisord.conf", _supervisor_section())
    (folder / "programs").mkdir(exist_ok=True)
    for left_over in (folder / "programs").glob("*.conf"):
        left_over.unlink()
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / "supervisord.conf")]
    started = subprocess.run(
        command,
        env=service_environment(),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if started.returncode != 0:
        raise ServiceUnreachableError(
            f"the supervisor did not start: {(started.stderr or started.stdout).strip()}",
            hint=f"see {get_settings().logs / 'supervisord.log'}",
        )
    _patiently(20, lambda: _call("supervisor.getState"))


def apply(programs: Iterable[Program]) -> list[str]:
    """Describe ``programs`` to the supervisor.

    Returns
    -------
    Names of programs that ran with other settings, and are stopped now.
    """
    folder = get_settings().home / "supervisor" / "programs"
    with _APPLYING:
        for program in programs:
            replace(folder / f"{program.name}.conf", program.section(log_file(program.name)))
        running = {state.name for state in states().values() if state.pid}
        added, changed, _ = _call("supervisor.reloadConfig")[0]
        stop(changed)
        for name in changed:
            _call("supervisor.removeProcessGroup", name)
        for name in (*added, *changed):
            _call("supervisor.addProcessGroup", name, ignore=_ALREADY_ADDED)
    return sorted(running.intersection(changed))


def start(name: str) -> None:
    """Start a program that :func:`apply` has described, without waiting for it."""
    state = states().get(name, absent(name)).state
    if state == "BACKOFF":
        stop([name])
    if state == "BACKOFF" or state in _STOPPED:
        _call("supervisor.startProcess", name, False, ignore=_ALREADY_STARTED)


def stop(names: Collection[str]) -> None:
    """Stop programs side by side and wait until they have ended."""
    known = states()
    for name in names:
        if name in known:
            _call("supervisor.stopProcess", name, False, ignore=_NOT_RUNNING)
    while any(state.state not in _STOPPED for state in states().values() if state.name in names):
        time.sleep(0.1)


def states() -> dict[str, ProgramState]:
    """All programs the supervisor knows, by name; empty when it does not run."""
    try:
        answer = _call("supervisor.getAllProcessInfo")
    except ServiceUnreachableError:
        return {}
    return {
        one["name"]: ProgramState(
            one["name"], one["statename"], one["pid"] or None, float(one["start"]), one["spawnerr"]
        )
        for one in answer
    }


def end_supervisor() -> None:
    """Stop what still runs under the supervisor, and the supervisor."""
    supervisor = pid()
    _call("supervisor.shutdown")
    try:
        psutil.Process(supervisor).wait(90)
    except psutil.NoSuchProcess:
        pass
    except psutil.TimeoutExpired as error:
        raise CreditOpsError(
            f"the supervisor (pid {supervisor}) does not end",
            hint=f"see {get_settings().logs / 'supervisord.log'}",
        ) from error


def pid() -> int:
    """Process id of the supervisor."""
    return int(_call("supervisor.getPID"))


def absent(name: str) -> ProgramState:
    """State of a program the supervisor was never told of."""
    return ProgramState(name, "STOPPED", None, 0.0, "")


def log_size(name: str) -> int:
    """Bytes in a program's log, to pass to :func:`log_since` later."""
    try:
        return log_file(name).stat().st_size
    except FileNotFoundError:
        return 0


def log_since(name: str, size: int) -> str:
    """What a program has logged since its log had ``size`` bytes."""
    try:
        with log_file(name).open("rb") as log:
            if log.seek(0, os.SEEK_END) >= size:
                log.seek(size)
            else:  # it was begun anew meanwhile
                log.seek(0)
            return log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def last_lines(text: str, lines: int = 12) -> str:
    """The end of a log, for an error message."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:]) or "nothing was logged"


def service_environment() -> dict[str, str]:
    """Environment every supervised program starts from.

    The caller's, with this home and its mark, the project importable, local addresses kept off
    proxies, telemetry off, and byte code kept (without it each service takes twice as long to
    start).
    """
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    local = "127.0.0.1,localhost,::1"
    skip = ",".join(filter(None, (environment.get("NO_PROXY") or environment.get("no_proxy"), local)))
    search = (str(PROJECT_ROOT), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)))
    # A virtual environment's programs lie beside its interpreter, not beside what that links to.
    programs = str(Path(sys.executable).parent)
    return (
        environment
        | processes.KEPT_ENVIRONMENT
        | {
            processes.MARK: str(get_settings().home),
            "CREDITOPS_HOME": str(get_settings().home),
            "PATH": os.pathsep.join((programs, environment.get("PATH", os.defpath))),
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(search)),
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": skip,
            "no_proxy": skip,
            "DO_NOT_TRACK": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "GX_ANALYTICS_ENABLED": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
    )


def _supervisor_section() -> str:
    folder, logs = get_settings().home / "supervisor", get_settings().logs
    user = "user=root\n" if os.geteuid() == 0 else ""
    text = f"""[supervisord]
logfile={logs / "supervisord.log"}
logfile_maxbytes=5MB
logfile_backups=2
pidfile={folder / "supervisord.pid"}
childlogdir={logs}
identifier=creditops
umask=077
{user}
[unix_http_server]
file={home_folder.socket_file()}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files=programs/*.conf
"""
    return text.replace("%", "%%")


def _call(method: str, *arguments: Any, ignore: int | None = None) -> Any:
    transport = httpx.HTTPTransport(uds=str(home_folder.socket_file()), verify=False)
    body = xmlrpc.client.dumps(arguments, method)
    try:
        with httpx.Client(transport=transport, timeout=120) as client:
            answer = client.post("http://supervisor/RPC2", content=body, headers={"Content-Type": "text/xml"})
            answer.raise_for_status()
        return xmlrpc.client.loads(answer.content)[0][0]  # type: ignore[arg-type]
    except (httpx.HTTPError, OSError) as error:
        raise ServiceUnreachableError(
            f"the supervisor of {get_settings().home} does not answer: {error}", hint="run `creditops up`"
        ) from error
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == ignore:
            return None
        raise CreditOpsError(f"supervisor refused {method}{arguments}: {fault.faultString}") from fault


def _patiently(seconds: float, attempt: Callable[[], Any]) -> Any:
    return Retrying(
        retry=retry_if_exception_type(ServiceUnreachableError),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(0.05),
        reraise=True,
    )(attempt)
