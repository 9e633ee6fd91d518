"""Who may do what in MLflow, tried from outside: without a login, as a modeller, with the platform's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from creditops.addresses import mlflow_url
from creditops.secrets import get_secret
from creditops.warehouse import connect
from models_ml.lifecycle import registry
from models_ml.store import tracking
from tests.e2e.conftest import BOOK, DAY, Command, current_publication, query

pytestmark = pytest.mark.e2e

API = "/api/2.0/mlflow"
CARD = "demo.retail_behaviour"
STEALING = {"name": "stolen", "artifact_location": "file:///tmp"}


def _as(person: str | None) -> httpx.Client:
    secret = "mlflow_platform" if person == "platform" else f"airflow_{person}"
    login = None if person is None else httpx.BasicAuth(person, get_secret(secret))
    return httpx.Client(base_url=mlflow_url(), auth=login, timeout=60)


@pytest.fixture
def anybody() -> Iterator[httpx.Client]:
    with _as(None) as client:
        yield client


@pytest.fixture
def modeller() -> Iterator[httpx.Client]:
    with _as("modeller") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/?scorecards", None),
        ("GET", f"{API}/registered-models/search", None),
        ("GET", "/get-artifact?path=secrets.json&run_uuid=1", None),
        ("POST", f"{API}/experiments/create", {"name": "mine"}),
        ("POST", f"{API}/experiments/create", STEALING),
        ("POST", f"{API}/registered-models/alias", {"name": CARD, "alias": "champion", "version": "1"}),
        ("POST", f"{API}/model-versions/set-tag", {"name": CARD, "version": "1", "key": "gates_passed"}),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/points_table.json", {"points": 15}),
        ("POST", "/v1/traces", {}),
        ("POST", "/graphql", {}),
        ("POST", "/ajax-api/3.0/jobs/", {}),
        ("POST", "/signup", {}),
        ("POST", f"{API}/users/create", {"username": "eve", "password": "a long enough one"}),
    ],
)
def test_without_a_login_nothing_is_read_or_written(
    anybody: httpx.Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert anybody.request(method, path, json=body).status_code in (401, 403)
    wrong = httpx.BasicAuth("platform", "guessed password")
    assert anybody.request(method, path, json=body, auth=wrong).status_code in (401, 403)


def test_a_modeller_writes_experiments_and_runs_and_reads_the_registry(
    published: str, modeller: httpx.Client
) -> None:
    made = modeller.post(f"{API}/experiments/create", json={"name": "a trial of mine"})
    assert made.status_code == 200, made.text
    run = modeller.post(f"{API}/runs/create", json={"experiment_id": made.json()["experiment_id"]})
    run_id = run.json()["run"]["info"]["run_id"]
    logged = modeller.post(
        f"{API}/runs/log-metric", json={"run_id": run_id, "key": "auc", "value": 0.7, "timestamp": 0}
    )
    assert logged.status_code == 200
    names = [
        each["name"] for each in modeller.get(f"{API}/registered-models/search").json()["registered_models"]
    ]
    assert CARD in names


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("registered-models/create", {"name": "demo.mine"}),
        ("registered-models/alias", {"name": CARD, "alias": "champion", "version": "1"}),
        ("registered-models/set-tag", {"name": CARD, "key": "a", "value": "b"}),
        ("model-versions/create", {"name": CARD, "source": "runs:/1/model"}),
        ("model-versions/set-tag", {"name": CARD, "version": "1", "key": "gates_passed", "value": "true"}),
        ("users/create", {"username": "eve", "password": "a long enough one"}),
        ("experiments/create", STEALING),
        ("experiments/create", {"name": "s3", "artifact_location": "s3://bucket"}),
        ("experiments/create", {"name": "up", "artifact_location": "mlflow-artifacts:/../../x"}),
        ("experiments/create", {"name": "demo.corporate"}),
    ],
)
def test_the_registry_and_places_for_artifacts_are_not_a_modellers(
    published: str, modeller: httpx.Client, path: str, body: dict[str, Any]
) -> None:
    assert modeller.post(f"{API}/{path}", json=body).status_code == 403


def test_nobody_changes_another_persons_run(published: str, modeller: httpx.Client) -> None:
    run_id = registry.show(CARD)["run_id"]
    body = {"run_id": run_id, "key": "hold_out_auc", "value": 0.99, "timestamp": 0}
    assert modeller.post(f"{API}/runs/log-metric", json=body).status_code == 403
    where = modeller.get(f"{API}/runs/get", params={"run_id": run_id}).json()["run"]["info"]["artifact_uri"]
    path = where.removeprefix("mlflow-artifacts:/") + "/points_table.csv"
    assert modeller.put(f"/api/2.0/mlflow-artifacts/artifacts/{path}", content=b"x").status_code == 403


def test_not_even_the_platform_names_a_place_outside(published: str) -> None:
    with _as("platform") as platform:
        assert platform.post(f"{API}/experiments/create", json=STEALING).status_code == 403


def _audited(action: str) -> int:
    with connect("modeller") as connection:
        row = connection.execute(
            "select count(*) from ops.audit where action = %s and object = %s", (action, CARD)
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_champion_whose_file_was_altered_is_not_scored_and_somebody_hears_of_it(
    published: str, platform: Path, creditops: Command
) -> None:
    held = tracking.client().get_model_version_by_alias(CARD, "champion")
    (file,) = [
        path
        for path in (platform / "mlflow" / "artifacts").rglob("points_table.json")
        if held.source.rpartition("/")[2] in str(path)
    ]
    before = file.read_text()
    table = json.loads(before)
    table["characteristics"][0]["bins"][0]["points"] += 15
    file.write_text(json.dumps(table))
    (built,) = query(
        creditops,
        f"select max(as_of)::text as day from ops.build_state where book = '{BOOK}'",
        role="publisher",
    )
    try:
        refused = creditops("run", "publish", "--book", BOOK, "--as-of", built["day"], "--local")
        assert refused.returncode == 3, refused.stdout + refused.stderr
        assert "not what was registered" in refused.stderr
        assert "points_table.json" in refused.stderr
    finally:
        file.write_text(before)
    assert current_publication(creditops, BOOK) == published
    assert _audited("model.tampered") == 1
    (alert,) = query(
        creditops, "select subject from ops.alert where kind = 'tampered_model'", role="publisher"
    )
    assert alert["subject"] == f"{CARD} {held.version}"


def test_a_champion_named_in_mlflow_alone_is_no_champion(published: str) -> None:
    from creditops import chain
    from creditops.books import Partition

    held = registry.show(CARD)["version"]
    client = tracking.client()
    source = client.get_model_version(CARD, held)
    model = source.source.rpartition("/")[2]
    forged = client.create_model_version(CARD, source.source, source.run_id, model_id=model)
    client.set_model_version_tag(CARD, forged.version, "gates_passed", "true")
    client.set_registered_model_alias(CARD, "champion", forged.version)
    said = chain.run_step("settle", Partition(BOOK, DAY).key)
    assert f"{CARD} v{held}" in said["champions"]
    assert CARD in said["mlflow_differed"][0]
    assert str(client.get_model_version_by_alias(CARD, "champion").version) == held
    assert _audited("model.mirror_differs") == 1
    client.delete_model_version(CARD, forged.version)
