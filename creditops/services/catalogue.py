"""The three services, told apart from how they are started: programs, address, health."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from creditops.addresses import Endpoints, read_endpoints
from creditops.services import airflow_components, databases, health, mlflow_server, postgres, processes
from creditops.services.program import Program
from creditops.services.supervision import ProgramState
from creditops.settings import get_settings

Progress = Callable[[str], None]


class Hopeless(str):
    """A problem that no waiting mends; it says what would."""


@dataclass(frozen=True)
class Service:
    """A service of a home.

    Attributes
    ----------
    program_names: its programs; the first one holds the port.
    preferred_port: port asked for in the settings.
    elsewhere: address named in the settings, of a service that somebody else runs.
    prepare: what has to be done on a port before the programs start.
    programs: its programs on a port.
    located: endpoints with this service at a port, or without it.
    problem: why one of its programs is not healthy; ``None`` when it is; :class:`Hopeless` when
        it will not become so.
    patience: seconds its programs may take to become healthy.
    """

    name: str
    program_names: tuple[str, ...]
    preferred_port: Callable[[], int]
    elsewhere: Callable[[], str | None]
    prepare: Callable[[int, Progress], None]
    programs: Callable[[int], list[Program]]
    located: Callable[[Endpoints, int | None], Endpoints]
    problem: Callable[[ProgramState], str | None]
    patience: float

    def port(self) -> int | None:
        """The port in ``endpoints.json``, if this home started the service."""
        place = read_endpoints().as_dict().get(self.name, {})
        return int(place["port"] if "port" in place else place["url"].rsplit(":", 1)[1]) if place else None

    def address(self) -> str | None:
        """Where it listens, ``host:port`` or URL, here or elsewhere; ``None`` while it is stopped."""
        place = read_endpoints().as_dict().get(self.name, {})
        here = place.get("url") or (f"{place['host']}:{place['port']}" if place else None)
        return self.elsewhere() or here


def _client_host() -> str:
    """Address for clients on this machine of what listens on the bind host."""
    host = get_settings().bind_host
    return "127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host


def _url(port: int | None) -> str | None:
    return f"http://{_client_host()}:{port}" if port else None


def _postgres_elsewhere() -> str | None:
    url = get_settings().database_url
    if url is None:
        return None
    host = url.hosts()[0]
    return f"{host.get('host') or '127.0.0.1'}:{host.get('port') or 5432}"


def _listening_problem(state: ProgramState, port: int | None) -> str | None:
    """Guards against an answer from another home's server that took the port first."""
    if state.pid and port and processes.listens(state.pid, port) is False:
        return f"does not listen on port {port} yet"
    return None


def _postgres_problem(state: ProgramState) -> str | None:
    problem = databases.problem()
    if problem is None:
        return _listening_problem(state, POSTGRES.port())
    port = POSTGRES.port()
    # Asked of this home's own server, and not of one that took its port.
    own = bool(state.pid and port and processes.listens(state.pid, port))
    if own and "password authentication failed" in problem:
        return Hopeless(
            f"{problem}; the data directory was made with another password than secrets.json in "
            f"{get_settings().home} holds: put the right secrets.json back"
        )
    return problem


def _mlflow_problem(state: ProgramState) -> str | None:
    url = MLFLOW.address()
    return (health.mlflow(url) if url else "not started") or _listening_problem(state, MLFLOW.port())


def _airflow_problem(state: ProgramState) -> str | None:
    url = AIRFLOW.address()
    if url is None:
        return "not started"
    component = airflow_components.COMPONENTS.get(state.name, "metadatabase")
    problem = health.airflow_component(health.airflow(url), component, state.started_at)
    if problem is None and state.name == airflow_components.API_SERVER:
        return _listening_problem(state, AIRFLOW.port())
    return problem


def _prepare_airflow(port: int, progress: Progress) -> None:
    airflow_components.write_passwords()
    airflow_components.migrate_if_needed(port, progress)


POSTGRES = Service(
    name="postgres",
    program_names=(postgres.NAME,),
    preferred_port=lambda: get_settings().postgres_port,
    elsewhere=_postgres_elsewhere,
    prepare=postgres.prepare,
    programs=lambda port: [postgres.program()],
    located=lambda ends, port: replace(ends, postgres=(_client_host(), port) if port else None),
    problem=_postgres_problem,
    patience=120,
)
MLFLOW = Service(
    name="mlflow",
    program_names=(mlflow_server.NAME,),
    preferred_port=lambda: get_settings().mlflow_port,
    elsewhere=lambda: get_settings().mlflow_url,
    prepare=lambda port, progress: mlflow_server.upgrade_if_needed(progress),
    programs=lambda port: [mlflow_server.program(port)],
    located=lambda ends, port: replace(ends, mlflow_url=_url(port)),
    problem=_mlflow_problem,
    patience=180,
)
AIRFLOW = Service(
    name="airflow",
    program_names=tuple(airflow_components.COMPONENTS),
    preferred_port=lambda: get_settings().airflow_port,
    elsewhere=lambda: get_settings().airflow_url,
    prepare=_prepare_airflow,
    programs=airflow_components.programs,
    located=lambda ends, port: replace(ends, airflow_url=_url(port)),
    problem=_airflow_problem,
    patience=240,
)
ALL = {service.name: service for service in (POSTGRES, MLFLOW, AIRFLOW)}
