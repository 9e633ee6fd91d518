"""Loads the day's repayment files into raw."""

from airflow.sdk import PartitionedAtRuntime, dag
from chain_assets import DEFAULT_ARGS, RAW_REPAYMENT, step_task


@dag(
    dag_id="ingest_repayment",
    schedule=PartitionedAtRuntime(),
    default_args=DEFAULT_ARGS,
    max_active_runs=4,
    catchup=False,
    tags=["creditops", "ingest"],
    doc_md="""
**What** loads facilities' due items, payments, snapshots, disputes, collection actions and promises.
**When** a delivery arrives, or `creditops run ingest_repayment --book B --as-of D`.
**From** the landing zone's folder of the book and day, through the source contracts.
**To** schema `raw`, `ops.load_ledger`, `ops.quarantine`; emits asset `creditops_raw_repayment` for the
partition, also when the day brought nothing.
**On failure** a file that breaks its contract is refused whole and raw is as before: read the task log or
`creditops ledger`, mend the file, run the same day again.
""",
)
def ingest_repayment() -> None:
    step_task("ingest_repayment", outlets=[RAW_REPAYMENT])


ingest_repayment()
