"""Runs the chain for a partition, through Airflow or in this process, as a stream of events."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from creditops import chain
from creditops.books import Partition
from creditops.errors import CreditOpsError, UsageError
from creditops.warehouse.connection import connect

DAG_STEPS: Mapping[str, tuple[str, ...]] = {
    "ingest_reference": ("ingest_reference",),
    "ingest_repayment": ("ingest_repayment",),
    "ingest_financial": ("ingest_financial",),
    "ingest_bureau": ("ingest_bureau",),
    "build_warehouse": ("gate_raw", *(f"build_{layer}" for layer in chain.LAYERS)),
    "retrain_scorecards": ("train", "promote"),
    "publish": ("score", "warn", "publish", "report"),
    "monitor": ("monitor",),
}
INGEST = tuple(name for name in DAG_STEPS if name.startswith("ingest_"))


@dataclass(frozen=True)
class Event:
    """A step changed its state: ``running``, ``success``, ``failed`` or ``skipped``."""

    dag: str
    step: str
    state: str
    seconds: float | None = None
    note: str | None = None


def dags_of(name: str) -> tuple[str, ...]:
    """DAGs a run name stands for: a DAG's own name, ``ingest`` or ``all``.

    Raises
    ------
    UsageError: no DAG is called so.
    """
    if name == "all":
        return tuple(DAG_STEPS)
    if name == "ingest":
        return INGEST
    if name not in DAG_STEPS:
        raise UsageError(
            f"there is no DAG {name!r}", hint=f"use all, ingest, or one of {', '.join(DAG_STEPS)}"
        )
    return (name,)


def month_ends(first: date, last: date) -> list[date]:
    """Month ends from ``first`` to ``last``, both included."""
    found: list[date] = []
    day = date(first.year, first.month, calendar.monthrange(first.year, first.month)[1])
    while day <= last:
        found.append(day)
        following = day + timedelta(days=1)
        day = date(
            following.year, following.month, calendar.monthrange(following.year, following.month)[1]
        )
    return found


def run_local(name: str, partition: Partition) -> Iterator[Event]:
    """Run the steps one after the other in this process."""
    for dag in dags_of(name):
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
