"""Measures the stability of the champions after each publication."""

from airflow.sdk import PartitionedAssetTimetable, chain, dag
from chain_assets import DEFAULT_ARGS, DRIFT, PUBLICATION
from chain_steps import step_task


@dag(
    dag_id="monitor",
    schedule=PartitionedAssetTimetable(assets=PUBLICATION),
    default_args=DEFAULT_ARGS,
    max_active_runs=16,
    catchup=False,
    tags=["creditops", "models"],
    doc_md="""
**What** stability of the score and of every characteristic against development, backtest of the PDs, actual
against expected defaults, overrides, the challenger beside the champion.
**When** after each publication. **From** `scoring`, `features`. **To** `scoring.model_monitoring`; where the
population or the calibration moved too far, emits asset `creditops_drift`, once a day and champion.
**On failure** nothing published changes; run it again from the grid.
""",
)
def monitor() -> None:
    chain(step_task("monitor"), step_task("drift", outlets=[DRIFT]))


monitor()
