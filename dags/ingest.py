"""Loads the day's files into raw: one DAG, a group of tasks per domain with the sources its contracts name.

The landed files are mapped to tasks: a file each, small ones together, those of one source in order.
"""

import json
from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import PartitionedAtRuntime, TaskGroup, dag
from chain_assets import DEFAULT_ARGS, RAW, RAW_OF
from chain_steps import step_task

# Written by `creditops sources generate` from the contracts, so that parsing needs none of them.
SOURCES = json.loads((Path(__file__).parent / "ingest_sources.json").read_text(encoding="utf-8"))
LISTED = "\n\n".join(
    f"{domain}:\n\n" + "\n".join(f"- `{name}`: {what}" for name, what in sources.items())
    for domain, sources in SOURCES.items()
)


@dag(
    dag_id="ingest",
    schedule=PartitionedAtRuntime(),
    default_args=DEFAULT_ARGS,
    max_active_runs=16,
    catchup=False,
    tags=["creditops", "ingest"],
    doc_md=f"""
**What** loads these sources, and your own contracts, a group of tasks per domain:

{LISTED}

**When** a delivery arrives, or `creditops run ingest --book B --as-of D`.
**From** the landing zone's folder of the book and day, through the contracts.
**To** schema `raw`, `ops.load_ledger`, `ops.quarantine`, `ops.freshness`. Each domain emits its asset
`creditops_raw_<domain>` for the partition, also when the day brought nothing; the event's extra counts the
rows of every file. Once all four are done, `creditops_raw` starts the build. Overdue sources raise an alert.
The link "Data Docs" shows the raw gate's pages once `build_warehouse` has run.
**On failure** a file that breaks its contract is refused whole and raw is as before: read the log of its
`load_files` task or `creditops ledger`, mend the file, run the same day again;
what is loaded is not loaded twice.
""",
)
def ingest() -> None:
    # One event of one task: the build waits for no second asset (docs/decisions/0018-one-ingest-dag.md).
    complete = EmptyOperator(task_id="complete", outlets=[RAW])
    for domain in SOURCES:
        with TaskGroup(domain):
            of = {"domain": domain}
            loads = step_task("load_files", over=step_task("list_files", arguments=of), arguments=of)
            # `none_failed`, because a day that brought nothing maps over nothing and is accounted for too.
            closing = {"outlets": [RAW_OF[domain]], "gate": "raw", "trigger_rule": "none_failed"}
            step_task("account_files", arguments={**of, "loads": loads}, **closing) >> complete


ingest()
