"""MLflow as an attacker with a modeller's login would try it: other spellings of what is refused."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from creditops.addresses import mlflow_url
from creditops.secrets import get_secret
from creditops.services import databases, lifecycle, mlflow_server
from tests.services.conftest import Said, living_in

API = "/api/2.0/mlflow"
MINE = {"name": "demo.mine"}
STEALING = {"name": "stolen", "artifact_location": "file:///tmp"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with living_in(tmp_path_factory.mktemp("mlflow") / "home") as home:
        lifecycle.up(only={"mlflow"})
        yield home


@pytest.fixture
def modeller(server: Path) -> Iterator[httpx.Client]:
    login = httpx.BasicAuth("modeller", get_secret("airflow_modeller"))
    with httpx.Client(base_url=mlflow_url(), auth=login, timeout=60) as client:
        yield client


@pytest.fixture(autouse=True)
def _nothing_came_of_it(modeller: httpx.Client) -> Iterator[None]:
    yield
    assert "demo.mine" not in modeller.get(f"{API}/registered-models/search").text
    found = modeller.post(f"{API}/experiments/search", json={"max_results": 1000}).json()
    assert [each for each in found["experiments"] if each["artifact_location"].startswith("file:")] == []
    assert "demo.corporate" not in {each["name"] for each in found["experiments"]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("experiments/create", STEALING),
        ("experiments/create", {"name": "camel", "artifactLocation": "file:///tmp"}),
        ("experiments/create", json.dumps(STEALING)),  # a text of JSON in JSON
        ("experiments/create", json.dumps(json.dumps(STEALING))),
        ("experiments/create", {"name": "upper", "artifact_location": "FILE:///tmp"}),
        ("experiments/create", {"name": "plain", "artifact_location": "/tmp"}),
        ("experiments/update", {"experiment_id": "0", "newName": "demo.corporate"}),
        ("traces/1/tags", {"key": "mlflow.artifactLocation", "value": "file:///tmp"}),
        ("registered-models/create", MINE),
        ("runs/../registered-models/create", MINE),
        ("runs/%2e%2e/registered-models/create", MINE),
        ("/registered-models/create", MINE),
        ("registered-models/create/", MINE),
        ("registered-models%2fcreate", MINE),
        ("REGISTERED-MODELS/create", MINE),
        ("registered-models/create;x=1", MINE),
    ],
)
def test_another_spelling_of_what_is_refused_is_refused(modeller: httpx.Client, path: str, body: Any) -> None:
    for api in (API, "/ajax-api/2.0/mlflow", "/ajax-api/3.0/mlflow", "//api/2.0/mlflow"):
        answer = modeller.post(f"{api}/{path}", json=body)
        assert answer.status_code in (400, 403, 404, 405), (api, answer.text)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_a_header_makes_no_other_method_of_a_request(modeller: httpx.Client, header: str) -> None:
    modeller.request("GET", f"{API}/registered-models/create", json=MINE, headers={header: "POST"})


def test_a_header_makes_nobody_the_platform(modeller: httpx.Client) -> None:
    for name in ("X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Original-URL"):
        answer = modeller.post(f"{API}/registered-models/create", json=MINE, headers={name: "platform"})
        assert answer.status_code == 403


def test_two_logins_in_one_request_make_nobody_the_platform(server: Path) -> None:
    mine = "Basic " + b64encode(f"modeller:{get_secret('airflow_modeller')}".encode()).decode()
    forged = "Basic " + b64encode(b"platform:x").decode()
    with httpx.Client(base_url=mlflow_url()) as client:
        for first, second in ((forged, mine), (mine, forged)):
            headers = [("Authorization", first), ("Authorization", second)]
            answer = client.post(f"{API}/registered-models/create", json=MINE, headers=headers)
            assert answer.status_code in (400, 401, 403), answer.text


def test_graphql_changes_nothing(modeller: httpx.Client) -> None:
    ask = {"query": 'mutation { createRegisteredModel(input: {name: "demo.mine"}) { name } }'}
    assert "errors" in modeller.post("/graphql", json=ask).text


@pytest.mark.parametrize(
    "path", ["../../secrets.json", "..%2f..%2fsecrets.json", "/etc/passwd", "%2fetc%2fpasswd"]
)
def test_artifacts_are_read_and_written_below_their_root_alone(modeller: httpx.Client, path: str) -> None:
    for verb in ("GET", "PUT"):
        answer = modeller.request(verb, f"/api/2.0/mlflow-artifacts/artifacts/{path}", content=b"x")
        assert answer.status_code in (400, 403, 404, 405), answer.text
        assert "root:" not in answer.text


def test_a_place_outside_that_an_older_home_holds_is_withdrawn_at_up(
    modeller: httpx.Client, said: Said
) -> None:
    made = modeller.post(f"{API}/experiments/create", json={"name": "of long ago"}).json()["experiment_id"]
    run = modeller.post(f"{API}/runs/create", json={"experiment_id": made}).json()["run"]["info"]
    with databases.connect("mlflow", get_secret("postgres_mlflow"), "mlflow") as connection:
        where = f"file://{Path.home()}"
        connection.execute(
            "update experiments set artifact_location = %s where experiment_id = %s", (where, int(made))
        )
        connection.execute("update runs set artifact_uri = %s where run_uuid = %s", (where, run["run_id"]))
    assert mlflow_server.withdraw_foreign_places(said) == 2
    assert said.mentions("2 places of artifacts outside its own were withdrawn")
    again = modeller.get(f"{API}/runs/get", params={"run_id": run["run_id"]}).json()["run"]["info"]
    assert again["artifact_uri"].startswith("mlflow-artifacts:/withdrawn/")
    assert mlflow_server.withdraw_foreign_places(said) == 0
