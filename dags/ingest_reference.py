"""Loads the day's reference files into raw."""

from airflow.sdk import PartitionedAtRuntime, dag
from chain_assets import DEFAULT_ARGS, RAW_REFERENCE, step_task


@dag(
    dag_id="ingest_reference",
    schedule=PartitionedAtRuntime(),
    default_args=DEFAULT_ARGS,
    max_active_runs=4,
    catchup=False,
    tags=["creditops", "ingest"],
    doc_md="""
**What** loads customers, groups, products, partners, applications, facilities, characteristics, macro and
industry series.
**When** a delivery arrives, or `creditops run ingest_reference --book B --as-of D`.
**From** the landing zone's folder of the book and day, through the source contracts.
**To** schema `raw`, `ops.load_ledger`, `ops.quarantine`; emits asset `creditops_raw_reference` for the
partition, also when the day brought nothing.
**On failure** a file that breaks its contract is refused whole and raw is as before: read the task log or
`creditops ledger`, mend the file, run the same day again.
""",
)
def ingest_reference() -> None:
    step_task("ingest_reference", outlets=[RAW_REFERENCE])


ingest_reference()
