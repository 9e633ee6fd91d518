"""What state the services of a home are in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from creditops.services import catalogue, supervision
from creditops.services.catalogue import Service
from creditops.services.supervision import ProgramState
from creditops.settings import get_settings

_WORDS = {"RUNNING": "running", "STARTING": "starting", "BACKOFF": "failed", "FATAL": "failed"}


@dataclass(frozen=True)
class ServiceStatus:
    """State of one program.

    Attributes
    ----------
    service: ``postgres``, ``mlflow`` or ``airflow``; `name` is the program's own name.
    state: ``running``, ``starting``, ``stopped``, ``failed``, or ``external`` where the settings
        name a service that somebody else runs.
    healthy: whether it answers and, for Airflow's programs, sends heartbeats.
    problem: why it is not healthy, in words; empty when it is.
    address: ``host:port`` or URL of the service.
    log: path of its log; ``None`` where it runs elsewhere.
    """

    service: str
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
        """Whether every service answers."""
        return all(service.healthy for service in self.services)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for ``--json``."""
        return {"healthy": self.healthy, **asdict(self)}


def status() -> ServicesStatus:
    """Look at every service, without waiting for or changing anything."""
    states = supervision.states()
    found = []
    for service in catalogue.ALL.values():
        if service.elsewhere():
            found.append(_external(service))
            continue
        for name in service.program_names:
            found.append(_supervised(service, states.get(name) or supervision.absent(name)))
    return ServicesStatus(str(get_settings().home), found)


def _external(service: Service) -> ServiceStatus:
    problem = service.problem(supervision.absent(service.name))
    return ServiceStatus(
        service.name, service.name, "external", problem is None, problem or "", None, service.address(), None
    )


def _supervised(service: Service, state: ProgramState) -> ServiceStatus:
    problem: str | None = state.problem or "not running"
    if state.pid:
        problem = service.problem(state)
    return ServiceStatus(
        service=service.name,
        name=state.name,
        state=_WORDS.get(state.state, "stopped"),
        healthy=problem is None,
        problem=problem or "",
        pid=state.pid,
        address=service.address(),
        log=str(supervision.log_file(state.name)),
    )
