"""Follow the runs of several DAGs for one partition until they are over."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from creditops.errors import ServiceUnreachableError
from creditops.services.airflow_api import AirflowApi, DagRun

_INTERVAL = 0.5


@dataclass(frozen=True)
class Event:
    """A run or a task has come into a new state.

    Attributes
    ----------
    task_id: the task; ``None`` when the event is about the whole run.
    state: as in :class:`~creditops.services.airflow_api.DagRun` and ``TaskInstance``;
        ``awaiting_input`` and ``deferred`` mean that a person or an outside event is waited for.
    seconds: how long it has been running, or ran.
    try_number: 1 for the first attempt of a task; 0 for runs.
    """

    dag_id: str
    run_id: str
    task_id: str | None
    state: str
    seconds: float
    try_number: int = 0


def follow(
    partition_key: str | None,
    dag_ids: Collection[str],
    since: datetime,
    progress: Callable[[Event], None] | None = None,
    *,
    api: AirflowApi | None = None,
    patience: float = 120.0,
) -> Iterator[Event]:
    """Yield every change of state until each DAG has a finished run, or one has failed.

    Consumers of assets start when their producers have ended, so a DAG without a run yet is
    waited for as long as anything moves. Runs of the same key that started before ``since`` are
    not looked at; if a DAG runs more than once, all its runs are awaited.

    Parameters
    ----------
    partition_key: ``book|YYYY-MM-DD``; ``None`` for runs without a partition.
    dag_ids: DAGs of which each has to finish.
    since: a moment before the first of them was triggered (with time zone).
    progress: called with each event, before it is yielded.
    api: client to use; by default one as user ``admin`` for the time of following.
    patience: seconds to wait for a missing run while nothing else runs, and for an Airflow that does not
        answer: the runs go on meanwhile.

    Raises
    ------
    ServiceUnreachableError: Airflow has not answered for ``patience``, or a DAG has no run after it.
    """
    own = api is None
    client = api or AirflowApi()
    try:
        for event in _changes(client, partition_key, frozenset(dag_ids), since, patience):
            if progress is not None:
                progress(event)
            yield event
    finally:
        if own:
            client.__exit__(None, None, None)


def _changes(
    api: AirflowApi, partition_key: str | None, dag_ids: frozenset[str], since: datetime, patience: float
) -> Iterator[Event]:
    seen: dict[tuple[str, str, str | None, int], tuple[str, int]] = {}
    moved_at = answered_at = time.monotonic()
    while True:
        try:
            found = api.dag_runs(dag_ids=dag_ids, since=since)
            # The newest state of a run is read before its tasks, so a finished run has finished tasks.
            runs = [run for run in reversed(found) if run.partition_key == partition_key]
            events = list(_events(api, runs, seen))
        except ServiceUnreachableError:
            if time.monotonic() - answered_at > patience:
                raise
            time.sleep(_INTERVAL)
            continue
        answered_at = time.monotonic()
        for event, key in events:
            if seen.get(key) != (event.state, event.try_number):
                seen[key] = (event.state, event.try_number)
                moved_at = time.monotonic()
                yield event
        if any(run.state == "failed" for run in runs):
            return
        missing = dag_ids - {run.dag_id for run in runs}
        running = any(not run.finished for run in runs)
        if not missing and not running:
            return
        if missing and not running and time.monotonic() - moved_at > patience:
            raise ServiceUnreachableError(
                f"no run of {', '.join(sorted(missing))} for {partition_key} after {patience:.0f} s",
                hint="is it paused, or is one of its assets not produced for this partition? "
                "See `creditops status`",
            )
        time.sleep(_INTERVAL)


def _events(
    api: AirflowApi, runs: list[DagRun], seen: dict[tuple[str, str, str | None, int], tuple[str, int]]
) -> Iterator[tuple[Event, tuple[str, str, str | None, int]]]:
    """States of runs and their tasks: a start before its tasks, an end after them."""
    changed = [run for run in runs if seen.get((run.dag_id, run.run_id, None, 0)) != (run.state, 0)]
    current = [run for run in runs if run in changed or not run.finished]
    tasks = api.task_instances(*current)
    for run in current:
        own = (run.dag_id, run.run_id, None, 0)
        whole = Event(run.dag_id, run.run_id, None, run.state, run.seconds)
        if not run.finished:
            yield whole, own
        for task in tasks:
            if (task.dag_id, task.run_id) == (run.dag_id, run.run_id) and task.state:
                name = f"{task.task_id}[{task.map_index}]" if task.map_index >= 0 else task.task_id
                yield (
                    Event(task.dag_id, task.run_id, name, task.state, task.seconds, task.try_number),
                    (task.dag_id, task.run_id, task.task_id, task.map_index),
                )
        if run.finished:
            yield whole, own
