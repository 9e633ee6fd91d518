"""Gates the day's raw batches and builds the warehouse, layer by layer."""

from airflow.sdk import PartitionedAssetTimetable, chain, dag
from chain_assets import DEFAULT_ARGS, MARTS, RAW
from chain_steps import step_task


@dag(
    dag_id="build_warehouse",
    schedule=PartitionedAssetTimetable(assets=RAW),
    default_args=DEFAULT_ARGS,
    max_active_runs=16,
    catchup=False,
    tags=["creditops", "warehouse"],
    doc_md="""
**What** validates the raw batches of the partition, then builds staging, intermediate, marts and features.
**When** `ingest` has loaded all four domains of the book and day.
**From** `raw`. **To** `staging`, `intermediate`, `marts`, `features`; emits asset `creditops_marts`.
**On failure** a failed gate names the checks (`ops.gate_result`); a failed dbt test names test and rows. The
last publication stays. Mend the data and run the day's ingest again.
""",
)
def build_warehouse() -> None:
    chain(
        step_task("gate_raw", gate="raw"),
        step_task("build_intermediate"),
        step_task("build_marts"),
        step_task("build_features", outlets=[MARTS]),
    )


build_warehouse()
