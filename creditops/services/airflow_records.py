"""What Airflow knows of runs, tasks and questions to people, read from its REST API's answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from creditops import clock

#: States in which a run or a task is over.
FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
#: A task in one of these waits for a person or an event, not for a worker.
WAITING = frozenset({"deferred", "awaiting_input"})


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG.

    Attributes
    ----------
    state: ``queued``, ``running``, ``success`` or ``failed``.
    run_type: ``manual``, ``asset_triggered``, ``scheduled`` or ``backfill``.
    partition_key: ``book|YYYY-MM-DD``, ``None`` for a run without one.
    """

    dag_id: str
    run_id: str
    partition_key: str | None
    state: str
    run_type: str
    run_after: datetime
    started_at: datetime | None
    ended_at: datetime | None
    triggered_by: str | None
    conf: dict[str, Any]

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    @property
    def seconds(self) -> float:
        """From start to end, or to now; 0 before the start."""
        return _seconds(self.started_at, self.ended_at)


@dataclass(frozen=True)
class TaskInstance:
    """One task of a run; ``state`` is ``None`` before the scheduler has looked at it."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    try_number: int
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    @property
    def seconds(self) -> float:
        """From start to end, or to now; 0 before the start."""
        return _seconds(self.started_at, self.ended_at)


@dataclass(frozen=True)
class Approval:
    """A task that waits, or waited, for a person's answer (Airflow's human-in-the-loop detail).

    Attributes
    ----------
    options: what may be chosen, e.g. ``("Approve", "Reject")``.
    params: values the person may fill in, with their defaults.
    asked_at: when the task began to wait.
    chosen, answered_by, answered_at: the answer; empty while it is open.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    subject: str
    body: str | None
    options: tuple[str, ...]
    params: dict[str, Any]
    asked_at: datetime
    chosen: tuple[str, ...]
    answered_by: str | None
    answered_at: datetime | None

    @property
    def open(self) -> bool:
        return not self.chosen


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return ((end or clock.now()) - start).total_seconds() if start else 0.0


def dag_run(found: dict[str, Any]) -> DagRun:
    """A run as the API writes it."""
    return DagRun(
        dag_id=found["dag_id"],
        run_id=found["dag_run_id"],
        partition_key=found["partition_key"],
        state=found["state"],
        run_type=found["run_type"],
        run_after=datetime.fromisoformat(found["run_after"]),
        started_at=_moment(found["start_date"]),
        ended_at=_moment(found["end_date"]),
        triggered_by=found["triggering_user_name"],
        conf=found["conf"] or {},
    )


def task_instance(found: dict[str, Any]) -> TaskInstance:
    """A task instance as the API writes it."""
    return TaskInstance(
        dag_id=found["dag_id"],
        run_id=found["dag_run_id"],
        task_id=found["task_id"],
        map_index=found["map_index"],
        state=found["state"],
        try_number=found["try_number"],
        started_at=_moment(found["start_date"]),
        ended_at=_moment(found["end_date"]),
    )


def approval(found: dict[str, Any]) -> Approval:
    """A human-in-the-loop detail as the API writes it."""
    task = found["task_instance"]
    return Approval(
        dag_id=task["dag_id"],
        run_id=task["dag_run_id"],
        task_id=task["task_id"],
        map_index=task["map_index"],
        subject=found["subject"],
        body=found["body"],
        options=tuple(found["options"]),
        params={name: value["value"] for name, value in found["params"].items()},
        asked_at=datetime.fromisoformat(found["created_at"]),
        chosen=tuple(found["chosen_options"] or ()),
        answered_by=(found["responded_by_user"] or {}).get("name"),
        answered_at=_moment(found["responded_at"]),
    )
