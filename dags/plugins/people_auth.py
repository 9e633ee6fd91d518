"""Who may do what in Airflow: people start runs, answer questions and look; the rest is the administrator's.

Airflow's simple auth manager lets its role ``user`` also pause DAGs, mark tasks successful, edit XComs and
delete runs, which would let whoever trains a scorecard go around its approval.
"""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

_PEOPLE_MAY = {("POST", DagAccessEntity.RUN), ("PUT", DagAccessEntity.HITL_DETAIL)}


class PeopleAuthManager(SimpleAuthManager):
    """The simple auth manager with less for role ``user``: start a run, answer a question, read."""

    def is_authorized_dag(
        self, *, method: str, user: Any, access_entity: Any = None, details: Any = None
    ) -> bool:
        """Whether a user may do this to a DAG or to what belongs to it."""
        allowed = super().is_authorized_dag(
            method=method, user=user, access_entity=access_entity, details=details
        )
        reads = method in ("GET", "MENU")
        if not allowed or reads or (user.role or "").lower() in ("op", "admin"):
            return allowed
        return (method, access_entity) in _PEOPLE_MAY
