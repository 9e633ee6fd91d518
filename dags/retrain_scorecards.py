"""Retrains the scorecards that are due and lets better challengers become champions."""

from datetime import timedelta

from airflow.sdk import PartitionedAssetTimetable, chain, dag
from chain_assets import CHALLENGER, DEFAULT_ARGS, DRIFT, MARTS, SCORECARDS
from chain_steps import step_task


@dag(
    dag_id="retrain_scorecards",
    schedule=PartitionedAssetTimetable(assets=MARTS | DRIFT),
    default_args=DEFAULT_ARGS,
    max_active_runs=16,
    catchup=False,
    tags=["creditops", "models"],
    doc_md="""
**What** trains each scorecard of the book that is due (never trained, its months have passed, or drift),
registers the version in MLflow as `challenger`, and makes it `champion` where its gates passed and it is
better than the champion on the same rows; or submits it for approval.
**When** new marts of a partition, or drift; skips where no scorecard is due.
**From** `features`. **To** MLflow; emits asset `creditops_challenger` where a person must approve, and at the
end, always, `creditops_scorecards`: publication starts once training is over and waits for no approval.
**On failure** the champion stays, the day is published with it, and this run shows as failed.
`creditops models show` lists the gates that failed.
""",
)
def retrain_scorecards() -> None:
    train = step_task("train", execution_timeout=timedelta(minutes=30))
    promote = step_task("promote")
    submit = step_task("submit", outlets=[CHALLENGER], trigger_rule="none_failed")
    settle = step_task("settle", outlets=[SCORECARDS], trigger_rule="all_done")
    chain(train, promote, [submit, settle])


retrain_scorecards()
