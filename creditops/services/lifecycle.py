"""Start, stop and describe the services of one home.

Order: PostgreSQL, then its databases, then MLflow and Airflow side by side. Everything here is
safe to run twice and at the same time from two terminals, and never touches a process that
another home or person started.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from creditops.errors import ServiceUnreachableError, UsageError
from creditops.secrets import get_secret
from creditops.services import (
    addresses,
    airflow_components,
    databases,
    health,
    mlflow_server,
    ports,
    postgres,
    processes,
    supervision,
)
from creditops.services import home as home_folder
from creditops.services.addresses import Endpoints
from creditops.services.program import Program
from creditops.services.supervision import ProgramState
from creditops.settings import get_settings

SERVICES = ("postgres", "mlflow", "airflow")
Progress = Callable[[str], None]
_PATIENCE = {"postgres": 120, "mlflow": 180, "airflow": 180}
_PORT_ATTEMPTS = 4


class _Died(ServiceUnreachableError):
    """A program ended while it was being started."""


@dataclass(frozen=True)
class _Service:
    """One service as `up` sees it: its programs on a port, and what is wrong with one of them."""

    name: str
    preferred_port: int
    programs: Callable[[int], list[Program]]
    problem: Callable[[ProgramState, int], str | None]


def up(
    progress: Progress | None = None,
    only: Collection[str] | None = None,
    prepare_warehouse: Callable[[], object] | None = None,
) -> Endpoints:
    """Start the services that this home runs itself and wait until each is healthy.

    Services that the settings name elsewhere are left to their owners. What was half done, left
    behind or in the way is mended and said.

    Parameters
    ----------
    progress: told each step in a short sentence.
    only: subset of :data:`SERVICES`; PostgreSQL is added where the others need it.
    prepare_warehouse: called once PostgreSQL answers, while the other services start.

    Returns
    -------
    Endpoints, as written to ``endpoints.json``.

    Raises
    ------
    UsageError: ``only`` names something else.
    ServiceUnreachableError: a service did not start; the message holds the end of its log.
    """
    say = progress or (lambda _: None)
    wanted = _wanted(only)
    with home_folder.locked(say):
        _end_left_behind(say)
        supervision.start_supervisor()
        if "postgres" in wanted:
            _start_postgres(say)
        if get_settings().database_url is None or wanted & {"mlflow", "airflow"}:
            databases.ensure(say)
        if "mlflow" in wanted:
            # Known before it runs, because Airflow's tasks are told the address at their start.
            _publish_mlflow_port(say)
        with ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(prepare_warehouse)] if prepare_warehouse else []
            if "airflow" in wanted:
                jobs.append(pool.submit(_start_airflow, say))
            if "mlflow" in wanted:
                jobs.append(pool.submit(_start_mlflow, say))
            for job in jobs:
                job.result()
        return addresses.read_endpoints()


def down(progress: Progress | None = None) -> list[str]:
    """Stop everything this home started, tasks included, and nothing else.

    Returns
    -------
    Names of the programs that were running.
    """
    say = progress or (lambda _: None)
    with home_folder.locked(say):
        running = [state.name for state in supervision.states().values() if state.pid]
        if running:
            say(f"stopping {', '.join(sorted(running))}")
        if supervision.is_running():
            supervision.stop([name for name in running if name != postgres.NAME])
            # Tasks run in process groups of their own and outlive the scheduler; without
            # PostgreSQL they could not even say how they ended.
            processes.end(_tasks(), seconds=10)
            supervision.end_supervisor()
        _end_left_behind(say)
        addresses.endpoints_file().unlink(missing_ok=True)
        return running


@dataclass(frozen=True)
class ServiceStatus:
    """State of one program.

    Attributes
    ----------
    state: ``running``, ``starting``, ``stopped``, ``failed``, or ``external`` when the settings
        name a service that somebody else runs.
    healthy: whether it answers.
    problem: why it is not healthy, in words; empty when it is.
    address: ``host:port`` or URL, where it has one.
    log: path of its log, ``None`` when it runs elsewhere.
    """

    name: str
    state: str
    healthy: bool
    problem: str
    pid: int | None
    address: str | None
    log: str | None


@dataclass(frozen=True)
class ServicesStatus:
    """State of every service of a home."""

    home: str
    services: list[ServiceStatus]

    @property
    def healthy(self) -> bool:
        return all(service.healthy for service in self.services)


def status() -> ServicesStatus:
    """Look at every service, without waiting or changing anything."""
    settings, endpoints = get_settings(), addresses.read_endpoints()
    states = supervision.states()
    found = []
    for service in _services().values():
        port = _port_of(service.name, endpoints)
        elsewhere = _elsewhere(service.name)
        names = [postgres.NAME] if service.name == "postgres" else [p.name for p in _named(service.name)]
        for name in names[:1] if elsewhere else names:
            state = states.get(name) or ProgramState(name, "STOPPED", None, 0.0, "")
            problem: str | None = state.problem or "not running"
            if elsewhere or state.state in ("RUNNING", "STARTING"):
                problem = service.problem(state, port or 0)
            found.append(
                ServiceStatus(
                    name=service.name if elsewhere else name,
                    state="external" if elsewhere else _WORDS.get(state.state, "stopped"),
                    healthy=problem is None,
                    problem=problem or "",
                    pid=state.pid,
                    address=elsewhere or _address(name, endpoints),
                    log=None if elsewhere else str(supervision.log_file(name)),
                )
            )
    return ServicesStatus(str(settings.home), found)
