"""Housekeeping of the warehouse, every night."""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task
from chain_assets import DEFAULT_ARGS


@dag(
    dag_id="maintain",
    # The first night it comes to, and not at once when the platform is first started.
    schedule=CronTriggerTimetable("30 2 * * *", timezone="UTC", run_immediately=timedelta(0)),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["creditops", "operations"],
    doc_md="""
**What** removes publications past their retention (never the current one, never the last of a month), then
vacuums and analyses the warehouse; alerts to sources that are overdue today.
**When** every night at 02:30 UTC. **From** `ops.publication_history`. **To** `published`, planner statistics.
**On failure** nothing is half done; the next night does it. Run it from the grid at any time.
""",
)
def maintain() -> None:
    @task(task_id="maintain")
    def run() -> dict[str, Any]:
        from dataclasses import asdict

        from creditops.maintenance import maintain as keep

        return asdict(keep())

    run()


maintain()
