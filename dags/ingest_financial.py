"""Loads the day's financial files into raw."""

from airflow.sdk import PartitionedAtRuntime, dag
from chain_assets import DEFAULT_ARGS, RAW_FINANCIAL, step_task


@dag(
    dag_id="ingest_financial",
    schedule=PartitionedAtRuntime(),
    default_args=DEFAULT_ARGS,
    max_active_runs=4,
    catchup=False,
    tags=["creditops", "ingest"],
    doc_md="""
**What** loads financial statements and VAT invoices.
**When** a delivery arrives, or `creditops run ingest_financial --book B --as-of D`.
**From** the landing zone's folder of the book and day, through the source contracts.
**To** schema `raw`, `ops.load_ledger`, `ops.quarantine`; emits asset `creditops_raw_financial` for the
partition, also when the day brought nothing.
**On failure** a file that breaks its contract is refused whole and raw is as before: read the task log or
`creditops ledger`, mend the file, run the same day again.
""",
)
def ingest_financial() -> None:
    step_task("ingest_financial", outlets=[RAW_FINANCIAL])


ingest_financial()
