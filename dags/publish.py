"""Scores, warns, assembles, gates and publishes the day, then renders its report."""

from airflow.sdk import PartitionedAssetTimetable, chain, dag
from chain_assets import CHAMPION, DEFAULT_ARGS, PUBLICATION, SCORECARDS
from chain_steps import step_task


@dag(
    dag_id="publish",
    schedule=PartitionedAssetTimetable(assets=SCORECARDS | CHAMPION),
    default_args=DEFAULT_ARGS,
    max_active_runs=16,
    catchup=False,
    tags=["creditops", "publish"],
    doc_md="""
**What** scores every customer with the champions, evaluates the early-warning rules, writes the candidate
rows, validates them and flips the book's pointer in `ops.publication`.
**When** training of a partition's round is over (also where none was due or it failed), or a person approved
a champion; a book without a champion is published without scores.
**From** `marts`, `features`, MLflow. **To** `scoring`, `actions`, `published`, views in `publish`, report.
**On failure** the last publication stays what readers see. `creditops publish show` lists failed checks.
""",
)
def publish() -> None:
    chain(
        step_task("score"),
        step_task("warn"),
        step_task("decide"),
        step_task("publish", outlets=[PUBLICATION], gate="publication"),
        step_task("report"),
    )


publish()
