"""Whether the services answer, asked of the services themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx

from creditops.services import databases

_TIMEOUT = 5.0


def postgres() -> str | None:
    """Why PostgreSQL does not serve its owner; ``None`` when it does."""
    return databases.problem()


def mlflow(url: str) -> str | None:
    """Why the tracking server at ``url`` is not healthy; ``None`` when it is."""
    answer = _get(f"{url}/health")
    return answer if isinstance(answer, str) else None


def airflow(url: str) -> dict[str, Any] | str:
    """Airflow's health report by component, or why there is none.

    Each component is a mapping with ``status`` and, but for ``metadatabase``, the time of its
    latest heartbeat.
    """
    answer = _get(f"{url}/api/v2/monitor/health")
    if isinstance(answer, str):
        return answer
    found: dict[str, Any] = answer.json()
    return found


def airflow_component(report: dict[str, Any] | str, component: str, started_at: float) -> str | None:
    """Why one component is not healthy; ``None`` when it is.

    Parameters
    ----------
    report: what :func:`airflow` returned.
    component: ``metadatabase``, ``scheduler``, ``dag_processor`` or ``triggerer``.
    started_at: seconds since the epoch; an older heartbeat is of a process before this one.
    """
    if isinstance(report, str):
        return report
    part = report.get(component) or {}
    if part.get("status") != "healthy":
        return f"{component} is {part.get('status') or 'unknown'}"
    heartbeat = next((value for name, value in part.items() if name.startswith("latest_")), None)
    if heartbeat and datetime.fromisoformat(heartbeat).timestamp() < started_at:
        return f"{component} has sent no heartbeat yet"
    return None


def _get(url: str) -> httpx.Response | str:
    place = httpx.URL(url)
    local = place.host in ("127.0.0.1", "localhost", "::1")
    try:
        # Reading the certificate store takes longer than all the rest, and is for https alone.
        answer = httpx.get(url, timeout=_TIMEOUT, trust_env=not local, verify=place.scheme == "https")
    except httpx.HTTPError as error:
        return f"{url}: {error or type(error).__name__}"
    return answer if answer.is_success else f"{url} answered {answer.status_code}"
