"""Asks a person whether a challenger may become champion."""

from typing import Any

from airflow.sdk import PartitionedAssetTimetable, dag, get_current_context, task
from chain_assets import CHALLENGER, CHAMPION, DEFAULT_ARGS
from model_approval import ModelApproval


@dag(
    dag_id="approve_scorecards",
    schedule=PartitionedAssetTimetable(assets=CHALLENGER),
    default_args=DEFAULT_ARGS,
    max_active_runs=16,
    catchup=False,
    tags=["creditops", "models"],
    doc_md="""
**What** asks the people of setting `CREDITOPS_MODEL_APPROVERS`, never the one who trained, to approve or
reject each submitted challenger with a reason. Publication goes on with the old champion meanwhile.
**When** `retrain_scorecards` submitted a challenger of a scorecard whose promotion is by approval.
**From** MLflow (figures, gates, validation pack). **To** MLflow, `ops.audit`; where a version was approved,
emits asset `creditops_champion`.
**On failure** the champion stays; the question is asked again. `creditops models approve` does the same.
""",
)
def approve_scorecards() -> None:
    @task(task_id="questions")
    def questions() -> list[dict[str, Any]]:
        from creditops.books import Partition
        from models_ml.run import approval

        partition = Partition.parse(get_current_context()["dag_run"].partition_key)
        return [each.as_dict() for each in approval.pending(partition.book)]

    @task(task_id="champion", outlets=[CHAMPION])
    def champion(answers: list[dict[str, Any]]) -> list[str]:
        from airflow.sdk.exceptions import AirflowSkipException

        promoted = [f"{each['name']} v{each['version']}" for each in answers if each["promoted"]]
        if not promoted:
            raise AirflowSkipException("no challenger was approved")
        return promoted

    asked = ModelApproval.partial(task_id="approve").expand(question=questions())
    champion(asked.output)


approve_scorecards()
