"""Measures the stability of the champions after each publication."""

from airflow.sdk import PartitionedAssetTimetable, dag
from chain_assets import DEFAULT_ARGS, PUBLICATION, step_task


@dag(
    dag_id="monitor",
    schedule=PartitionedAssetTimetable(assets=PUBLICATION),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["creditops", "models"],
    doc_md="""
**What** population stability (PSI) of the score and of every characteristic against development.
**When** after each publication. **From** `scoring`, `features`. **To** `scoring.model_monitoring`.
**On failure** nothing published changes; run it again from the grid.
""",
)
def monitor() -> None:
    step_task("monitor")


monitor()
