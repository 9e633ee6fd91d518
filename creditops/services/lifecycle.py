"""Start and stop the services of one home.

Order: PostgreSQL, then its databases, then MLflow and Airflow side by side. Everything here is
safe to run twice and at the same time from two terminals, and never touches a process that
another home or person started.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

import psutil

from creditops import addresses
from creditops.addresses import Endpoints
from creditops.errors import ServiceUnreachableError, UsageError
from creditops.services import databases, guard, ports, postgres, processes, supervision
from creditops.services import home as home_folder
from creditops.services.catalogue import AIRFLOW, ALL, MLFLOW, POSTGRES, Hopeless, Service
from creditops.services.status import ServicesStatus, ServiceStatus, status
from creditops.settings import get_settings

__all__ = ["ServiceStatus", "ServicesStatus", "down", "left_behind", "status", "up"]

Progress = Callable[[str], None]
_PORT_ATTEMPTS = 12
_PORT_IN_USE = re.compile(r"address already in use|EADDRINUSE", re.IGNORECASE)
# Two services start at a time and share the file.
_ENDPOINTS = threading.Lock()


class _PortLost(Exception):
    """Another program took the port of a service while it was being started."""


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
    progress: told each step in a short sentence, possibly from several threads.
    only: some of ``postgres``, ``mlflow``, ``airflow``; PostgreSQL is added where others need it.
    prepare_warehouse: called once PostgreSQL answers, while the other services start.

    Returns
    -------
    Endpoints, as written to ``endpoints.json``.

    Raises
    ------
    UsageError: ``only`` names something else.
    ServiceUnreachableError: a service did not start; the message holds the end of its log.
    """
    say = progress if progress is not None else (lambda _: None)
    wanted = _wanted(only)
    with home_folder.locked(say):
        _end_left_behind(say)
        supervision.start_supervisor()
        if POSTGRES in wanted:
            _start(POSTGRES, say)
        if POSTGRES in wanted or AIRFLOW in wanted or MLFLOW in wanted:
            databases.ensure(say)
        if MLFLOW in wanted:
            # Before Airflow runs, whose tasks look for it.
            _settle_port(MLFLOW, set(), say)
        with ThreadPoolExecutor(3) as pool:
            prepared = pool.submit(prepare_warehouse or (lambda: None))
            jobs = [prepared]
            if AIRFLOW in wanted:
                # Airflow may run a task as soon as it is up, which finds the warehouse ready then.
                jobs.append(pool.submit(_start, AIRFLOW, say, prepared.result))
            if MLFLOW in wanted:
                jobs.append(pool.submit(_start, MLFLOW, say))
        for job in jobs:
            job.result()
        if only is None:
            supervision.apply([guard.program()])
            supervision.start(guard.NAME)
        return addresses.read_endpoints()


def down(progress: Progress | None = None) -> list[str]:
    """Stop everything this home started, running tasks included, and nothing else.

    Returns
    -------
    Names of the programs that were running.
    """
    say = progress if progress is not None else (lambda _: None)
    home = get_settings().home
    if not home.exists() and not processes.of_home(home):
        return []
    with home_folder.locked(say):
        states = supervision.states()
        running = sorted(state.name for state in states.values() if state.pid and state.name != guard.NAME)
        if supervision.is_running():
            say(f"stopping {', '.join(running) or 'the supervisor'}")
            supervision.stop([guard.NAME])
            supervision.stop([name for name in running if name != postgres.NAME])
            # Tasks run in process groups of their own and outlive the scheduler; they go before
            # PostgreSQL, so that their last statements are undone in good order.
            processes.end(_tasks(), seconds=10)
            supervision.end_supervisor()
        _end_left_behind(say)
        addresses.endpoints_file().unlink(missing_ok=True)
        return running


def _wanted(only: Collection[str] | None) -> list[Service]:
    unknown = sorted(set(only or ()) - set(ALL))
    if unknown:
        raise UsageError(f"unknown service {', '.join(unknown)}", hint=f"use some of {', '.join(ALL)}")
    named = set(only) if only is not None else set(ALL)
    return [
        service
        for service in ALL.values()
        if not service.elsewhere() and (service.name in named or (service is POSTGRES and named))
    ]


def _start(service: Service, say: Progress, await_needed: Callable[[], object] = lambda: None) -> None:
    """Start a service that is not running, on a port it can have, and wait until it is healthy.

    Parameters
    ----------
    await_needed: called before its programs are started; returns when what they need is there.
    """
    main = service.program_names[0]
    lost: set[int] = set()
    while len(lost) < _PORT_ATTEMPTS:
        before = supervision.states().get(main, supervision.absent(main))
        port = _settle_port(service, lost, say)
        if not before.pid:
            service.prepare(port, say)
        await_needed()
        changed = supervision.apply(service.programs(port))
        if changed:
            say(f"{service.name}: its settings have changed, restarting it")
        began = time.monotonic()
        logged = {name: supervision.log_size(name) for name in service.program_names}
        try:
            for name in service.program_names:
                supervision.start(name)
            _await_health(service, port, logged)
        except _PortLost:
            say(f"{service.name}: port {port} was taken by another program meanwhile")
            supervision.stop(service.program_names)
            lost.add(port)
            continue
        except ServiceUnreachableError:
            if not before.pid:
                supervision.stop(service.program_names)
                _forget_address(service)
            raise
        if not before.pid or changed:
            say(f"{service.name}: ready at {service.address()} after {time.monotonic() - began:.1f} s")
        return
    raise ServiceUnreachableError(
        f"{service.name}: other programs took ports {sorted(lost)} one after the other",
        hint=f"set CREDITOPS_{service.name.upper()}_PORT to a quieter range",
    )


def _settle_port(service: Service, lost: set[int], say: Progress) -> int:
    """The port of a service that runs, else one it can have; either is in ``endpoints.json`` then."""
    main = service.program_names[0]
    state = supervision.states().get(main, supervision.absent(main))
    with _ENDPOINTS:
        port = ports.remembered(service.name) if state.pid else None
        if port is None:
            promised = {other.port() or 0 for other in ALL.values() if other is not service}
            port = ports.choose(
                service.name, service.preferred_port(), avoid=promised, lost=lost, progress=say
            )
        addresses.write_endpoints(service.located(addresses.read_endpoints(), port))
    return port


def _forget_address(service: Service) -> None:
    with _ENDPOINTS:
        addresses.write_endpoints(service.located(addresses.read_endpoints(), None))


def _await_health(service: Service, port: int, logged: Mapping[str, int]) -> None:
    """Wait until all programs of a service are healthy.

    Parameters
    ----------
    logged: size of each program's log before it was started.

    Raises
    ------
    _PortLost: another program has the port.
    ServiceUnreachableError: a program has ended, or is not healthy in time, with what it logged.
    """
    deadline = time.monotonic() + service.patience
    main, waiting = service.program_names[0], set(service.program_names)
    begun: dict[str, int] = {}
    while True:
        states = supervision.states()
        problems = {}
        for name in sorted(waiting):
            state = states.get(name) or supervision.absent(name)
            ended = state.state in ("BACKOFF", "FATAL", "EXITED", "STOPPED")
            if ended or (state.pid and begun.setdefault(name, state.pid) != state.pid):
                said = supervision.log_since(name, logged[name])
                if name == main and (_PORT_IN_USE.search(said) or ports.answers(_host(), port)):
                    raise _PortLost
                raise ServiceUnreachableError(
                    f"{name} ended while starting; its log ends:\n{supervision.last_lines(said)}",
                    hint=f"see {supervision.log_file(name)}",
                )
            problem = service.problem(state) if state.pid else "is starting"
            if isinstance(problem, Hopeless):
                raise ServiceUnreachableError(f"{name}: {problem}")
            if problem is None:
                waiting.discard(name)
                continue
            problems[name] = problem
            # Whoever answers there is somebody else, so there is nothing to wait for.
            if (
                name == main
                and state.pid
                and ports.answers(_host(), port)
                and processes.listens(state.pid, port) is False
            ):
                raise _PortLost
        if not waiting:
            return
        if time.monotonic() > deadline:
            name, problem = next(iter(problems.items()))
            end = supervision.last_lines(supervision.log_since(name, logged[name]))
            raise ServiceUnreachableError(
                f"{name} is not healthy after {service.patience:.0f} s: {problem}; its log ends:\n{end}",
                hint=f"see {supervision.log_file(name)}",
            )
        # Looking costs processor time that the services need to start.
        time.sleep(0.1 if service is POSTGRES else 0.4)


def _host() -> str:
    return get_settings().bind_host


def _tasks() -> list[psutil.Process]:
    """Processes of this home beside the supervisor and the PostgreSQL server."""
    kept = {supervision.pid(), *_family(postgres.running_server())}
    return [process for process in processes.of_home(get_settings().home) if process.pid not in kept]


def left_behind() -> list[psutil.Process]:
    """Processes of this home that no supervisor looks after, the PostgreSQL server excepted."""
    # First what there is, then who is looked after: what begins in between is in neither.
    all_of_home = processes.of_home(get_settings().home)
    cared_for = _family(postgres.running_server())
    if supervision.is_running():
        cared_for |= _family(psutil.Process(supervision.pid()))
    return [each for each in all_of_home if each.pid not in cared_for and each.is_running()]


def _end_left_behind(say: Progress) -> None:
    """End processes of this home that no supervisor looks after: it died, or left them behind."""
    others = left_behind()
    if others:
        say(f"ending {len(others)} processes of an earlier start that were left behind")
        processes.end(others, seconds=15)
    server = postgres.running_server()
    if server is not None and not supervision.is_running() and postgres.started_here(server):
        say(f"postgres: ending a server (pid {server.pid}) that was left behind")
        postgres.end_server(server)


def _family(process: psutil.Process | None) -> set[int]:
    if process is None:
        return set()
    try:
        return {process.pid, *(child.pid for child in process.children(recursive=True))}
    except psutil.NoSuchProcess:
        return set()
