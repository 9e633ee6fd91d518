"""What people who may log in to Airflow cannot do there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from creditops.addresses import airflow_url
from creditops.books import today
from creditops.errors import DataRefusedError
from creditops.ingest.land.units import unit_files
from creditops.secrets import get_secret
from creditops.services.airflow_api import AirflowApi
from tests.e2e.conftest import BOOK, DAY, Command, query, until

pytestmark = pytest.mark.e2e


def logged_in(name: str) -> httpx.Client:
    """Airflow's API as one of its users."""
    login = {"username": name, "password": get_secret(f"airflow_{name}")}
    token = httpx.post(f"{airflow_url()}/auth/token", json=login, timeout=30).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"{airflow_url()}/api/v2", headers=bearer, timeout=30)


@pytest.fixture(params=["modeller", "approver"])
def person(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """Airflow's API as one of the people."""
    with logged_in(request.param) as client:
        yield client


def test_people_read_and_start_runs_and_change_nothing_else(published: str, person: httpx.Client) -> None:
    runs = person.get("/dags/ingest/dagRuns").json()["dag_runs"]
    run = f"/dags/ingest/dagRuns/{runs[0]['dag_run_id']}"
    tasks = person.get(f"{run}/taskInstances").json()["task_instances"]
    task = f"{run}/taskInstances/{tasks[0]['task_id']}"
    entry = {"key": "return_value", "value": [["../../secrets.json"]], "map_index": -1}
    days = {"from_date": "2026-06-01T00:00:00Z", "to_date": "2026-06-06T00:00:00Z"}
    backfill = {"dag_id": "maintain", **days, "max_active_runs": 6}
    refused: list[tuple[str, str, Any]] = [
        ("PATCH", "/dags/publish", {"is_paused": True}),
        ("PATCH", "/dags?dag_id_pattern=%25", {"is_paused": True}),
        ("DELETE", "/dags/publish", None),
        ("DELETE", run, None),
        ("PATCH", run, {"state": "success"}),
        ("POST", f"{run}/clear", {"dry_run": False}),
        ("PATCH", task, {"new_state": "success"}),
        ("POST", "/dags/ingest/clearTaskInstances", {"dry_run": False}),
        ("POST", f"{task}/xcomEntries", entry),
        ("PATCH", f"{task}/xcomEntries/return_value", {"value": "[]", "map_index": -1}),
        ("DELETE", f"{task}/xcomEntries/return_value", None),
        ("GET", "/connections", None),
        ("POST", "/variables", {"key": "a", "value": "b"}),
        ("POST", "/pools", {"name": "mine", "slots": 1}),
        ("POST", "/backfills", backfill),
        ("POST", "/backfills/dry_run", backfill),
    ]
    answers = {
        (verb, path): person.request(verb, path, json=body).status_code for verb, path, body in refused
    }
    assert {each: code for each, code in answers.items() if code != 403} == {}


def test_a_run_for_a_day_to_come_fails_and_publishes_nothing(published: str, creditops: Command) -> None:
    tomorrow = today(BOOK) + timedelta(days=1)
    for day in (tomorrow, date(2062, 6, 30)):
        refused = creditops("run", "all", "--book", BOOK, "--as-of", day.isoformat())
        assert refused.returncode == 2
        assert "has not come yet" in refused.stderr
    with AirflowApi() as api:
        run = api.trigger("publish", f"{BOOK}|9999-12-31")
        state = until(
            "the run's end",
            lambda: next(
                (r.state for r in api.dag_runs(dag_ids=["publish"]) if r.run_id == run.run_id and r.finished),
                None,
            ),
        )
    assert state == "failed"
    with logged_in("admin") as admin:  # the status that other tests look at is that of the chain
        admin.delete(f"/dags/publish/dagRuns/{run.run_id}").raise_for_status()
    (row,) = query(
        creditops, f"select as_of_date::text as day from publish.publication where book = '{BOOK}'"
    )
    assert row["day"] == DAY.isoformat()


@pytest.mark.parametrize(
    "name",
    [
        "../secrets.json",
        "other_book/2026-06-30/customers.csv",
        "demo/2026-05-31/customers.csv",
        "demo/2026-06-30/../../../secrets.json",
        "/etc/passwd",
    ],
)
def test_files_are_loaded_from_the_folder_of_their_book_and_day_alone(published: str, name: str) -> None:
    with pytest.raises(DataRefusedError, match="is no file of book demo"):
        unit_files(BOOK, DAY, [name])


def test_the_command_line_asks_who_acts(
    published: str, creditops: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess
    import sys
    from pathlib import Path

    from creditops.settings import get_settings

    monkeypatch.setenv("CREDITOPS_HOME", str(get_settings().home))
    monkeypatch.delenv("CREDITOPS_SERVICE_ACCOUNTS", raising=False)
    done = subprocess.run(
        [str(Path(sys.executable).parent / "creditops"), "models", "rollback", "demo.retail_behaviour",
         "--actor", "approver", "--reason", "I say so"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "cannot act as approver" in done.stderr
