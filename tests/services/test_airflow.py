"""Airflow as the platform runs it: partitions join DAGs, approvals have a name, stopping is clean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from creditops.errors import CreditOpsError, ServiceUnreachableError
from creditops.secrets import get_secret
from creditops.services import airflow_components, databases, lifecycle, processes
from creditops.services.airflow_api import AirflowApi, DagRun
from creditops.services.follow import Event, follow
from tests.services.conftest import Said, living_in

DAGS = """
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, PartitionedAtRuntime, task

RAW, MARTS, CHAMPION = (Asset(name) for name in ("raw", "marts", "champion"))


with DAG("ingest", schedule=PartitionedAtRuntime()) as ingest:

    @task(outlets=[RAW])
    def load(dag_run=None):
        import time

        time.sleep((dag_run.conf or {}).get("seconds", 0))
        if (dag_run.conf or {}).get("fail"):
            raise ValueError("no such file")

    load()

with DAG("build", schedule=PartitionedAssetTimetable(assets=RAW)) as build:

    @task(outlets=[MARTS])
    def marts(dag_run=None):
        print(f"building {dag_run.partition_key}")

    marts()

with DAG("retrain", schedule=PartitionedAtRuntime()) as retrain:

    @task(outlets=[CHAMPION])
    def promote():
        pass

    ApprovalOperator(task_id="approve", subject="Promote?") >> promote()

with DAG("publish", schedule=PartitionedAssetTimetable(assets=MARTS | CHAMPION)) as publish:

    @task
    def flip():
        pass

    flip()
"""
IDS = {"ingest", "build", "retrain", "publish"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with PostgreSQL and Airflow on throwaway DAGs."""
    place = tmp_path_factory.mktemp("airflow")
    (place / "dags").mkdir()
    (place / "dags" / "joined.py").write_text(DAGS)
    with living_in(place / "home", AIRFLOW__CORE__DAGS_FOLDER=str(place / "dags")) as home:
        lifecycle.up(only={"airflow"})
        yield home


@pytest.fixture
def api(home: Path) -> Iterator[AirflowApi]:
    with AirflowApi() as client:
        client.await_parsed(IDS)
        yield client


def _run(api: AirflowApi, key: str, *dags: str, until: set[str] | None = None) -> list[Event]:
    since = datetime.now(UTC)
    for dag in dags:
        api.trigger(dag, key)
    return list(follow(key, until or set(dags), since, api=api))


def _builds(api: AirflowApi, key: str) -> list[DagRun]:
    return api.dag_runs(key, dag_ids=["build"])


def test_a_consumer_runs_once_its_producer_has_run_for_the_same_key(api: AirflowApi) -> None:
    events = _run(api, "demo|2026-06-30", "ingest", until={"build", "publish"})
    assert [event.state for event in events if (event.dag_id, event.task_id) == ("publish", None)][-1] == (
        "success"
    )
    (build,) = _builds(api, "demo|2026-06-30")
    assert (build.run_type, build.partition_key) == ("asset_triggered", "demo|2026-06-30")
    (task,) = api.task_instances(build)
    assert any("building demo|2026-06-30" in line for line in api.task_log(task))
    assert _builds(api, "other|2026-06-30") == []


def test_a_second_round_for_the_same_key_runs_the_consumers_again(api: AirflowApi) -> None:
    key = "demo|2026-05-31"
    for rounds in (1, 2):
        _run(api, key, "ingest", until={"build", "publish"})
        assert len(_builds(api, key)) == rounds


def test_follow_ends_with_the_failure(api: AirflowApi) -> None:
    since = datetime.now(UTC)
    api.trigger("ingest", "demo|2026-04-30", {"fail": True})
    events = list(follow("demo|2026-04-30", {"ingest", "build"}, since, api=api))
    assert (events[-1].dag_id, events[-1].task_id, events[-1].state) == ("ingest", None, "failed")
    assert any(event.task_id == "load" and event.state == "failed" for event in events)


def test_follow_says_which_run_never_came(api: AirflowApi) -> None:
    since = datetime.now(UTC)
    api.trigger("ingest", "demo|2026-03-31")
    with pytest.raises(ServiceUnreachableError, match="no run of retrain"):
        list(follow("demo|2026-03-31", {"ingest", "retrain"}, since, api=api, patience=1))


def test_what_earlier_versions_put_on_a_table_of_airflows_is_taken_back(home: Path, said: Said) -> None:
    marker = home / "airflow" / "schema.json"
    head = databases.migration_head("airflow")
    with databases.connect("airflow", get_secret("postgres_airflow"), "airflow") as connection:
        connection.execute(
            "create function creditops_one_event_at_a_time() returns trigger language plpgsql"
            " as $$ begin return new; end $$"
        )
        connection.execute(
            "create trigger creditops_one_event_at_a_time before insert on asset_event"
            " for each row execute function creditops_one_event_at_a_time()"
        )
    marker.write_text(json.dumps({"airflow": version("apache-airflow"), "head": head}))
    airflow_components.migrate_if_needed(8080, said)
    with databases.connect("airflow", get_secret("postgres_airflow"), "airflow") as connection:
        ours = connection.execute("select count(*) from pg_proc where proname like 'creditops%'").fetchone()
        triggers = connection.execute(
            "select count(*) from pg_trigger where tgrelid = 'asset_event'::regclass and not tgisinternal"
        ).fetchone()
    assert (ours, triggers) == ((0,), (0,))


def test_an_approval_carries_the_name_of_who_gave_it(api: AirflowApi) -> None:
    since, key = datetime.now(UTC), "demo|2026-01-31"
    run = api.trigger("retrain", key)
    for event in follow(key, {"retrain", "publish"}, since, api=api):
        if event.task_id == "approve" and event.state in ("deferred", "awaiting_input"):
            with AirflowApi("approver") as approver:
                (question,) = approver.approvals(run)
                assert question.open
                approver.answer(question, "Approve")
                with pytest.raises(CreditOpsError, match="already"):
                    approver.answer(question, "Approve")
    (answered,) = api.approvals(run, only_open=False)
    assert (answered.chosen, answered.answered_by) == (("Approve",), "approver")
    assert [each.state for each in api.dag_runs(key, dag_ids=["publish"])] == ["success"]


def test_refusals_are_told_apart(api: AirflowApi) -> None:
    with pytest.raises(CreditOpsError, match="404"):
        api.trigger("no_such_dag", "demo|2026-06-30")
    with AirflowApi("stranger") as stranger, pytest.raises(ServiceUnreachableError, match="stranger"):
        stranger.dag_ids()


def test_every_service_is_healthy_and_up_again_starts_nothing(home: Path, said: Said) -> None:
    names = {"postgres", *airflow_components.COMPONENTS}
    pids = {one.name: one.pid for one in lifecycle.status().services if one.name in names}
    lifecycle.up(said, only={"airflow"})
    again = [one for one in lifecycle.status().services if one.name in names]
    assert all(one.healthy for one in again)
    assert {one.name: one.pid for one in again} == pids
    assert said == []


def test_a_killed_scheduler_takes_its_workers_with_it_and_the_next_one_ends_the_run(
    api: AirflowApi, home: Path
) -> None:
    since, key = datetime.now(UTC), "demo|2025-12-31"
    api.trigger("ingest", key, {"seconds": 5})
    following = follow(key, {"ingest"}, since, api=api)
    for event in following:
        if event.task_id == "load" and event.state == "running":
            break
    keeper = next(one.pid for one in lifecycle.status().services if one.name == "airflow-scheduler")
    assert keeper is not None
    scheduler, *workers = psutil.Process(keeper).children(recursive=True)
    assert len(workers) >= 4
    scheduler.kill()
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert alive == []
    assert lifecycle.left_behind() == []
    events = list(following)
    assert (events[-1].task_id, events[-1].state) == (None, "success")


def test_who_follows_a_run_outlives_the_end_of_every_session_of_the_database(
    api: AirflowApi, home: Path
) -> None:
    since, key = datetime.now(UTC), "demo|2025-10-31"
    api.trigger("ingest", key, {"seconds": 5})
    following = follow(key, {"ingest"}, since, api=api)
    for event in following:
        if event.task_id == "load" and event.state == "running":
            break
    with databases.connect("creditops", get_secret("postgres_owner"), "postgres") as owner:
        ended = owner.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where backend_type = 'client backend' and pid <> pg_backend_pid()"
        ).fetchone()
    assert ended is not None
    assert ended[0] > 0
    events = list(following)
    assert (events[-1].task_id, events[-1].state) == (None, "success")


def test_down_during_a_task_leaves_nothing_behind(api: AirflowApi, home: Path) -> None:
    since, key = datetime.now(UTC), "demo|2025-11-30"
    api.trigger("ingest", key, {"seconds": 300})
    for event in follow(key, {"ingest"}, since, api=api):
        if event.task_id == "load" and event.state == "running":
            break
    assert set(lifecycle.down()) == {"postgres", *airflow_components.COMPONENTS}
    assert processes.of_home(home) == []
