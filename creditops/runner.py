"""Runs the chain for a partition, through Airflow or in this process, as a stream of events."""

from __future__ import annotations

import calendar
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from creditops import chain, clock, turns
from creditops.books import Partition
from creditops.errors import CreditOpsError, ServiceUnreachableError, UsageError
from creditops.identity import current_actor
from creditops.services import follow as following
from creditops.services.airflow_api import AirflowApi, DagRun
from creditops.warehouse import audit
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import BUILT_LAYERS
from creditops.warehouse.run_log import current_run_id

INGEST = "ingest"
DAG_STEPS: Mapping[str, tuple[str, ...]] = {
    INGEST: tuple(f"ingest_{domain}" for domain in chain.DOMAINS),
    "build_warehouse": ("gate_raw", *(f"build_{layer}" for layer in BUILT_LAYERS)),
    "retrain_scorecards": ("train", "promote", "submit", "settle"),
    "publish": ("score", "warn", "decide", "publish", "report"),
    "monitor": ("monitor", "drift"),
}
# A run follows the one before it within this time, since assets join them.
_SETTLED, _POLL_SECONDS = timedelta(seconds=5), 1.0


@dataclass(frozen=True)
class Event:
    """A step changed its state: ``running``, ``success``, ``failed`` or ``skipped``."""

    dag: str
    step: str
    state: str
    seconds: float | None = None
    note: str | None = None
    run_id: str = "local"


def dags_of(name: str) -> tuple[str, ...]:
    """DAGs a run name stands for: a DAG's own name or ``all``.

    Raises
    ------
    UsageError: no DAG is called so.
    """
    if name == "all":
        return tuple(DAG_STEPS)
    if name not in DAG_STEPS:
        raise UsageError(f"there is no DAG {name!r}", hint=f"use all, or one of {', '.join(DAG_STEPS)}")
    return (name,)


def month_ends(first: date, last: date) -> list[date]:
    """Month ends from ``first`` to ``last``, both included."""
    found: list[date] = []
    day = date(first.year, first.month, calendar.monthrange(first.year, first.month)[1])
    while day <= last:
        found.append(day)
        following = day + timedelta(days=1)
        day = date(following.year, following.month, calendar.monthrange(following.year, following.month)[1])
    return found


def run_local(name: str, partition: Partition) -> Iterator[Event]:
    """Run the steps one after the other in this process; a second run for a key waits for the first."""
    wanted = dags_of(name)
    with connect("publisher", autocommit=True) as connection:
        key = (f"run {partition.key}",)
        free = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", key).fetchone()
        if free is None or not free[0]:
            yield Event("run", "wait", "running", note=f"another run for {partition.key} is under way")
            connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", key)
            yield Event("run", "wait", "success")
        yield from _run_in_turn(wanted, partition)  # the lock ends with the connection


def _run_in_turn(wanted: tuple[str, ...], partition: Partition) -> Iterator[Event]:
    """Run the steps once no other day of the book is worked on; ingest needs no turn."""
    if not any(step in chain.TAKES_TURNS for dag in wanted for step in DAG_STEPS[dag]):
        yield from _run_steps(wanted, partition)
        return
    said = False
    while True:
        try:
            with turns.hold(partition, current_run_id(), "run"):
                if said:
                    yield Event("run", "wait", "success")
                try:
                    yield from _run_steps(wanted, partition)
                finally:
                    turns.give_back(partition)
            return
        except turns.NotYet as waiting:
            if not said:
                yield Event("run", "wait", "running", note=str(waiting))
            said = True
            time.sleep(_POLL_SECONDS)


def _run_steps(wanted: tuple[str, ...], partition: Partition) -> Iterator[Event]:
    for dag in wanted:
        for step in DAG_STEPS[dag]:
            yield Event(dag, step, "running")
            started = time.perf_counter()
            try:
                chain.run_step(step, partition.key)
            except chain.NothingToDo as reason:
                yield Event(dag, step, "skipped", time.perf_counter() - started, str(reason))
                break
            except CreditOpsError:
                yield Event(dag, step, "failed", time.perf_counter() - started)
                raise
            yield Event(dag, step, "success", time.perf_counter() - started)


def run_in_airflow(name: str, partition: Partition) -> Iterator[Event]:
    """Trigger the DAGs a name stands for and follow them, and what they set off, to the end.

    ``all`` triggers ``ingest``; the rest starts by itself, joined by assets. What waits for a
    person (approval of a challenger) or follows from drift is not awaited.

    Raises
    ------
    CreditOpsError: a step failed; with the message and the exit code of its cause.
    ServiceUnreachableError: Airflow does not answer, or an awaited run never comes.
    """
    wanted = dags_of(name)
    note_request(name, partition)
    with AirflowApi() as api:
        api.await_parsed(DAG_STEPS)
        yield from _await_others(api, partition)
        since = clock.now()
        if name == "all":
            start_chain(api, partition)
        else:
            for dag in wanted:
                api.trigger(dag, partition.key)
        first = [dag for dag in wanted if dag != "monitor" or name != "all"]
        yield from _follow(api, partition, first, since)
        if name != "all":
            return
        if published := _ended(api, partition, since, "publish", "publish"):
            yield from _follow(api, partition, ["monitor"], published)


def note_request(name: str, partition: Partition) -> None:
    """Keep who asks for a run that the platform starts: Airflow knows the platform alone."""
    with connect("publisher") as connection:
        audit.append(connection, current_actor(), "run.request", partition.key, after={"run": name})


def _await_others(api: AirflowApi, partition: Partition) -> Iterator[Event]:
    """Wait until no run for the same key is under way, and none has followed the last one of them."""
    said = False
    while first := _under_way(api, partition, settled=_SETTLED if said else timedelta()):
        if not said:
            since = f" since {first.started_at:%H:%M:%S} UTC" if first.started_at else ""
            note = f"{first.dag_id} for {partition.key} is under way{since}: this run waits for it"
            yield Event("run", "wait", "running", note=note)
            said = True
        time.sleep(_POLL_SECONDS)
    if said:
        yield Event("run", "wait", "success")


def _under_way(api: AirflowApi, partition: Partition, *, settled: timedelta) -> DagRun | None:
    """The oldest run for the key that has not ended, or has less than ``settled`` ago."""
    ended = clock.now() - settled
    runs = [
        run
        for run in api.dag_runs(partition.key, dag_ids=DAG_STEPS)
        if not run.finished or (settled and run.ended_at is not None and run.ended_at > ended)
    ]
    return runs[-1] if runs else None


def start_chain(api: AirflowApi, partition: Partition) -> None:
    """Trigger ``ingest``; what follows starts by itself, joined by assets.

    Who asks for it is kept before (:func:`note_request`), as Airflow only knows the platform.
    """
    api.trigger(INGEST, partition.key)


def last_runs() -> list[dict[str, Any]]:
    """The newest run of each DAG, for ``status``."""
    with AirflowApi() as api:
        runs = [run for dag in DAG_STEPS if (run := api.last_run(dag)) is not None]
    return [
        {
            "dag": run.dag_id,
            "partition_key": run.partition_key,
            "state": run.state,
            "started_at": run.started_at,
            "seconds": round(run.seconds, 1),
        }
        for run in runs
    ]


def _follow(api: AirflowApi, partition: Partition, dags: Collection[str], since: datetime) -> Iterator[Event]:
    states = {"success", "failed", "skipped", "running"}
    for event in following.follow(partition.key, dags, since, api=api):
        if event.task_id is not None and event.state == "up_for_reschedule":
            note = _whose_turn(partition)
            yield Event(event.dag_id, event.task_id, "running", event.seconds, note, event.run_id)
        elif event.task_id is not None and event.state in states:
            yield Event(event.dag_id, event.task_id, event.state, event.seconds, run_id=event.run_id)
        elif event.task_id is None and event.state == "failed":
            run = next(
                r for r in api.dag_runs(dag_ids=[event.dag_id], since=since) if r.run_id == event.run_id
            )
            raise _failure(api, run)


def _whose_turn(partition: Partition) -> str:
    """Why a task waits: another day of its book is at work."""
    with suppress(ServiceUnreachableError):
        if (now := turns.holder(partition.book)) is not None and now.as_of != partition.as_of:
            return f"waits: book {partition.book} is at work on {now.as_of} ({now.run_id}, step {now.step})"
    return "waits for its turn"


def _ended(api: AirflowApi, partition: Partition, since: datetime, dag: str, task: str) -> datetime | None:
    """When a task last succeeded in the runs since a moment; ``None`` if it did not."""
    runs = api.dag_runs(partition.key, dag_ids=[dag], since=since)
    ends = [
        each.ended_at
        for each in api.task_instances(*runs)
        if each.task_id == task and each.state == "success" and each.ended_at is not None
    ]
    return max(ends, default=None)


def _failure(api: AirflowApi, run: DagRun) -> CreditOpsError:
    """What made a run fail, as its step noted it, else the end of the failed task's log."""
    with connect("publisher") as connection:
        noted = connection.execute(
            "select step, exit_code, message, hint from ops.failure"
            " where run_id = %s order by at desc limit 1",
            (f"{run.dag_id}/{run.run_id}",),
        ).fetchone()
    if noted is not None:
        error = CreditOpsError(f"{run.dag_id}.{noted[0]}: {noted[2]}", hint=noted[3])
        error.exit_code = noted[1]
        return error
    failed = [task for task in api.task_instances(run) if task.state == "failed"]
    log = api.task_log(failed[0]) if failed else []
    lines = [line for line in log if "error" in line.lower()][-3:]
    where = failed[0].task_id if failed else "the scheduler"
    return CreditOpsError(
        f"{run.dag_id} failed in {where}: {' | '.join(lines)[:1500]}",
        hint="open the task's log in Airflow; `creditops status` shows the address",
    )
