"""Loads the day's files into raw: one DAG per domain, with the sources that the contracts put in it.

The landed files are mapped to tasks: a file each, small ones together, those of one source in order.
"""

import json
from pathlib import Path

from airflow.sdk import PartitionedAtRuntime, dag
from chain_assets import DEFAULT_ARGS, RAW_BUREAU, RAW_FINANCIAL, RAW_REFERENCE, RAW_REPAYMENT
from chain_steps import step_task

ASSETS = {
    "reference": RAW_REFERENCE,
    "repayment": RAW_REPAYMENT,
    "financial": RAW_FINANCIAL,
    "bureau": RAW_BUREAU,
}
# Written by `creditops sources generate` from the contracts, so that parsing needs none of them.
SOURCES = json.loads((Path(__file__).parent / "ingest_sources.json").read_text(encoding="utf-8"))
DOC = """
**What** loads these sources, and your own contracts of the domain:

{sources}

**When** a delivery arrives, or `creditops run ingest_{domain} --book B --as-of D`.
**From** the landing zone's folder of the book and day, through the contracts.
**To** schema `raw`, `ops.load_ledger`, `ops.quarantine`, `ops.freshness`; emits asset
`creditops_raw_{domain}` for the partition, also when the day brought nothing; the event's extra
counts the rows of every file. Sources that are overdue raise an alert.
Its link "Data Docs" shows the raw gate's pages once `build_warehouse` has run.
**On failure** a file that breaks its contract is refused whole and raw is as before: read the log of its
`load_files` task or `creditops ledger`, mend the file, run the same day again.
"""


def ingest_dag(domain: str, sources: dict[str, str]) -> None:
    """Register the DAG of one domain."""

    @dag(
        dag_id=f"ingest_{domain}",
        schedule=PartitionedAtRuntime(),
        default_args=DEFAULT_ARGS,
        max_active_runs=16,
        catchup=False,
        tags=["creditops", "ingest"],
        doc_md=DOC.format(domain=domain, sources="\n".join(f"- `{k}`: {v}" for k, v in sources.items())),
    )
    def ingest() -> None:
        of = {"domain": domain}
        loads = step_task("load_files", over=step_task("list_files", arguments=of), arguments=of)
        # `none_failed`, because a day that brought nothing maps over nothing and is accounted for as well.
        closing = {"outlets": [ASSETS[domain]], "gate": "raw", "trigger_rule": "none_failed"}
        step_task("account_files", arguments={**of, "loads": loads}, **closing)

    ingest()


for each in SOURCES:
    ingest_dag(each, SOURCES[each])
