"""Assets that join the DAGs, and the one way a task runs a step of the chain.

Every asset is partitioned by ``book|YYYY-MM-DD``; a run learns its book and day from its
``partition_key`` alone.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, get_current_context, task

RAW_REPAYMENT = Asset("creditops_raw_repayment")
RAW_FINANCIAL = Asset("creditops_raw_financial")
RAW_BUREAU = Asset("creditops_raw_bureau")
RAW_REFERENCE = Asset("creditops_raw_reference")
MARTS = Asset("creditops_marts")
CHALLENGER = Asset("creditops_challenger")
CHAMPION = Asset("creditops_champion")
SCORECARDS = Asset("creditops_scorecards")
DRIFT = Asset("creditops_drift")
PUBLICATION = Asset("creditops_publication")

DEFAULT_ARGS = {"retries": 2, "retry_delay": timedelta(seconds=20), "owner": "creditops"}


def step_task(name: str, outlets: list[Asset] | None = None, **options: Any) -> Any:
    """A task that runs the chain's step ``name`` for the run's partition.

    Refused data fails at once, without a retry; a service that does not answer is retried;
    nothing to do is a skip. What the step counted is the task's XCom and the extra of its assets' events.
    """

    @task(task_id=name, outlets=outlets or [], **options)
    def run() -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

        from creditops import chain
        from creditops.errors import DataRefusedError, UsageError

        context = get_current_context()
        dag_run = context["dag_run"]
        os.environ["CREDITOPS_RUN_ID"] = f"{dag_run.dag_id}/{dag_run.run_id}"
        os.environ["CREDITOPS_ACTOR"] = dag_run.triggering_user_name or "airflow"
        try:
            outcome = dict(chain.run_step(name, dag_run.partition_key))
        except chain.NothingToDo as reason:
            raise AirflowSkipException(str(reason)) from None
        except (DataRefusedError, UsageError) as error:
            raise AirflowFailException(str(error)) from None
        for outlet in outlets or []:
            context["outlet_events"][outlet].extra = outcome  # row counts, for whoever reads the event
        return outcome

    return run()
