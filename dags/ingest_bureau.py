"""Loads the day's bureau files into raw."""

from airflow.sdk import PartitionedAtRuntime, dag
from chain_assets import DEFAULT_ARGS, RAW_BUREAU, step_task


@dag(
    dag_id="ingest_bureau",
    schedule=PartitionedAtRuntime(),
    default_args=DEFAULT_ARGS,
    max_active_runs=4,
    catchup=False,
    tags=["creditops", "ingest"],
    doc_md="""
**What** loads bureau reports with tradelines, inquiries and public records.
**When** a delivery arrives, or `creditops run ingest_bureau --book B --as-of D`.
**From** the landing zone's folder of the book and day, through the source contracts.
**To** schema `raw`, `ops.load_ledger`, `ops.quarantine`; emits asset `creditops_raw_bureau` for the
partition, also when the day brought nothing.
**On failure** a file that breaks its contract is refused whole and raw is as before: read the task log or
`creditops ledger`, mend the file, run the same day again.
""",
)
def ingest_bureau() -> None:
    step_task("ingest_bureau", outlets=[RAW_BUREAU])


ingest_bureau()
