"""A task's turn of its book: while another day of the book is at work, the task is put off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

ASK_AGAIN = timedelta(seconds=15)  # each time costs the start of a task
ENDED = ("success", "failed")


@contextmanager
def turn_of(step: str, context: Any) -> Iterator[None]:
    """Have the turn while ``step`` works, if it needs one; else free the worker and ask again later.

    The task's log says who has the turn. Whether that run goes on is asked of Airflow itself, so a run
    that was killed holds nothing up for longer than Airflow takes to see it.
    """
    from airflow.sdk.exceptions import AirflowRescheduleException

    from creditops import chain, clock, turns
    from creditops.books import Partition

    if step not in chain.TAKES_TURNS:
        yield
        return
    run, task = context["dag_run"], context["ti"]

    def is_over(other: str) -> bool:
        dag_id, _, run_id = other.partition("/")
        known = run_id and task.get_dr_count(dag_id, run_ids=[run_id])
        return not known or task.get_dagrun_state(dag_id, run_id) in ENDED

    try:
        with turns.hold(Partition.parse(run.partition_key), f"{run.dag_id}/{run.run_id}", step, is_over):
            yield
    except turns.NotYet as reason:
        print(reason)
        raise AirflowRescheduleException(clock.now() + ASK_AGAIN) from None
