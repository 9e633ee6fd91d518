"""An ingest run as Airflow shows it: mapped files, counted rows, pages of the gate for who is logged in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from creditops.addresses import airflow_url
from creditops.arrivals import arrived, start_arrived
from creditops.chain import DOMAINS
from creditops.ingest.land.landing import delivery_folder, marker_of
from creditops.runner import INGEST
from creditops.secrets import get_secret
from creditops.services.airflow_api import AirflowApi
from creditops.services.airflow_records import DagRun, TaskInstance
from tests.e2e.conftest import BOOK, DAY, Command, until
from tests.e2e.test_airflow_doors import logged_in

pytestmark = pytest.mark.e2e
KEY = f"{BOOK}|{DAY}"


@pytest.fixture
def api(published: str) -> Iterator[AirflowApi]:
    with AirflowApi() as client:
        yield client


@pytest.fixture
def browser(published: str) -> Iterator[httpx.Client]:
    """Somebody who has logged in: the cookie that Airflow's pages set."""
    with httpx.Client(base_url=airflow_url()) as client:
        who = {"username": "modeller", "password": get_secret("airflow_modeller")}
        token = client.post("/auth/token", json=who).raise_for_status().json()["access_token"]
        client.cookies.set("_token", token)
        yield client


def _first_run(api: AirflowApi, dag: str, key: str = KEY) -> tuple[DagRun, dict[str, list[TaskInstance]]]:
    run = api.dag_runs(key, dag_ids=[dag])[-1]
    tasks: dict[str, list[TaskInstance]] = {}
    for task in api.task_instances(run):
        tasks.setdefault(task.task_id, []).append(task)
    return run, tasks


def _event(browser: httpx.Client, run: DagRun, domain: str) -> dict[str, Any]:
    """What the asset event of one of the run's domains says; its last event starts the build."""
    found = browser.get(
        "/api/v2/assets/events", params={"source_dag_id": run.dag_id, "source_run_id": run.run_id}
    ).raise_for_status()
    events = {each["source_task_id"]: each for each in found.json()["asset_events"]}
    assert set(events) == {"complete", *(f"{each}.account_files" for each in DOMAINS)}
    assert {each["partition_key"] for each in events.values()} == {run.partition_key}
    event = events[f"{domain}.account_files"]
    return dict(event["extra"])


def test_files_are_mapped_to_tasks_and_every_row_is_in_the_event(
    api: AirflowApi, browser: httpx.Client, simulated: Path
) -> None:
    run, tasks = _first_run(api, INGEST)
    loads = tasks["repayment.load_files"]
    assert [task.map_index for task in sorted(loads, key=lambda each: each.map_index)] == list(
        range(len(loads))
    )
    assert {task.state for task in loads} == {"success"}
    extra = _event(browser, run, "repayment")
    repayment = ("collection_actions", "disputes", "due_items", "facility_snapshots", "payments", "promises")
    rows = {
        f"{BOOK}/{DAY}/{path.name}": len(pl.read_csv(path, infer_schema=False))
        for path in simulated.glob("*.csv")
        if path.name.split(".")[0] in repayment
    }
    assert {line["file"]: line["rows_read"] for line in extra["loads"]} == rows
    assert extra["files"] == len(rows)
    assert extra["rows_read"] == sum(rows.values()) == extra["rows_loaded"] + extra["rows_unchanged"]
    assert extra["stale"] == []


def test_the_gates_pages_are_one_click_from_the_task_and_closed_to_strangers(
    api: AirflowApi, browser: httpx.Client
) -> None:
    for dag, task in (
        (INGEST, "bureau.account_files"),
        ("build_warehouse", "gate_raw"),
        ("publish", "publish"),
    ):
        run, _ = _first_run(api, dag)
        found = browser.get(f"/api/v2/dags/{dag}/dagRuns/{run.run_id}/taskInstances/{task}/links")
        link = found.raise_for_status().json()["extra_links"]["Data Docs"]
        gate = "publication" if dag == "publish" else "raw"
        assert link == f"/data_docs/{BOOK}/{gate}/{DAY}/index.html"
        page = browser.get(link)
        assert page.status_code == 200
        assert "customer_360" in page.text if gate == "publication" else "due_items" in page.text
        assert httpx.get(f"{airflow_url()}{link}").status_code == 401
    for path in ("/data_docs/nobody/raw/2026-06-30/index.html", "/data_docs/%2e%2e/secrets.json"):
        assert browser.get(path).status_code == 404


def test_a_day_without_files_is_accounted_for(
    api: AirflowApi, browser: httpx.Client, creditops: Command
) -> None:
    day = "2026-11-30"
    ran = creditops("run", INGEST, "--book", BOOK, "--as-of", day, "--json")
    assert ran.returncode == 0, ran.stderr
    states = {step["step"]: step["state"] for step in json.loads(ran.stdout)["steps"]}
    assert states["repayment.account_files"] == states["complete"] == "success"
    run, tasks = _first_run(api, INGEST, f"{BOOK}|{day}")
    assert [task.state for task in tasks["repayment.load_files"]] == ["skipped"]
    extra = _event(browser, run, "repayment")
    assert (extra["files"], extra["rows_read"]) == (0, 0)
    assert [sentence.split(":")[0] for sentence in extra["stale"]] == [
        "due_items", "facility_snapshots", "payments"
    ]  # fmt: skip


def test_what_arrives_is_loaded_by_itself_once(
    api: AirflowApi, browser: httpx.Client, creditops: Command
) -> None:
    folder = delivery_folder("arrival", date(2026, 6, 30))
    folder.mkdir(parents=True)
    (folder / "groups.csv.part").write_text("no source file")
    assert arrived() == []
    (folder / "groups.csv").write_text("group_id,name,parent_group_id,effective_date\nG1,One,,2026-01-01\n")
    assert arrived() == []  # it may still be written to
    marker_of(folder / "groups.csv").touch()

    (started,) = start_arrived()
    assert started.key == "arrival|2026-06-30"
    assert start_arrived() == []  # under way
    (run,) = api.dag_runs(started.key, dag_ids=[INGEST])
    assert _end_of(api, run).state == "success"
    ledger = json.loads(creditops("ledger", "--book", "arrival", "--json").stdout)
    (line,) = [each for each in ledger if each["status"] == "loaded"]
    assert line["file"] == "arrival/2026-06-30/groups.csv"
    assert start_arrived() == []  # nothing came since

    # The rest of the chain, of one group without customers, would keep the machine busy for nothing.
    runs = until("the build", lambda: api.dag_runs(started.key, dag_ids=["build_warehouse"]) or None)
    path, failed = f"/dags/build_warehouse/dagRuns/{runs[0].run_id}", {"state": "failed"}
    with logged_in("admin") as admin:
        admin.patch(path, json=failed).raise_for_status()


def _end_of(api: AirflowApi, run: DagRun) -> DagRun:
    def look() -> DagRun | None:
        (now,) = api.dag_runs(run.partition_key, dag_ids=[run.dag_id])
        return now if now.finished else None

    return until(f"the end of {run.dag_id}", look, patience=300)
