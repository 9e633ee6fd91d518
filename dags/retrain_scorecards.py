"""Retrains the scorecards that are due and lets better challengers become champions."""

from airflow.sdk import PartitionedAssetTimetable, chain, dag
from chain_assets import CHAMPION, DEFAULT_ARGS, MARTS, step_task


@dag(
    dag_id="retrain_scorecards",
    schedule=PartitionedAssetTimetable(assets=MARTS),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["creditops", "models"],
    doc_md="""
**What** trains each scorecard of the book that has no champion or was last trained in an earlier month,
registers the version in MLflow as `challenger`, and promotes it to `champion` where its gates passed.
**When** new marts of a partition; skips where no scorecard is due.
**From** `features`. **To** MLflow; emits asset `creditops_champion`.
**On failure** the champion stays. `creditops models show` lists the gates that failed.
""",
)
def retrain_scorecards() -> None:
    chain(step_task("train"), step_task("promote", outlets=[CHAMPION]))


retrain_scorecards()
