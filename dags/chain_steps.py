"""The one way a task runs a step of the chain; book and day come from the run's ``partition_key``."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import Asset, get_current_context, task
from book_turn import turn_of
from data_docs import DataDocs


def step_task(
    name: str,
    outlets: list[Asset] | None = None,
    *,
    gate: str | None = None,
    over: Any = None,
    arguments: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """A task that runs the chain's step ``name`` for the run's partition.

    Refused data fails at once; a service that does not answer is retried; nothing to do is a skip; another
    day's turn is waited for (book_turn.py). What it counted is its XCom and the extra of its assets' events.
    ``gate``: its Data Docs are linked to. ``over``: lists of files, each the argument ``files`` of a mapped
    task. ``arguments``: of the step.
    """
    takes = {*(arguments or {}), *({"files"} if over is not None else ())}

    @task(task_id=name, outlets=outlets or [], **options)
    def run(domain: str | None = None, files: Any = None, loads: Any = None) -> Any:
        from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

        from creditops import chain, identity
        from creditops.errors import DataRefusedError, UsageError

        context = get_current_context()
        dag_run = context["dag_run"]
        os.environ["CREDITOPS_RUN_ID"] = f"{dag_run.dag_id}/{dag_run.run_id}"
        identity.set_task_actor(dag_run.triggering_user_name or identity.AIRFLOW)
        if files:
            context["unit"] = ", ".join(file.rsplit("/", 1)[-1] for file in files)[:200]
        given = {"domain": domain, "files": files, "loads": loads}
        try:
            with turn_of(name, context):
                outcome = chain.run_step(name, dag_run.partition_key, **{each: given[each] for each in takes})
        except chain.NothingToDo as reason:
            raise AirflowSkipException(str(reason)) from None
        except (DataRefusedError, UsageError) as error:
            raise AirflowFailException(str(error)) from None
        for outlet in outlets or []:
            context["outlet_events"][outlet].extra = outcome  # row counts
        return outcome

    if over is not None:
        return run.override(map_index_template="{{ unit }}").partial(**(arguments or {})).expand(files=over)
    made = run(**(arguments or {}))
    made.operator.operator_extra_links = (DataDocs(gate),) if gate is not None else ()
    return made
