"""The deployed services are the embedded ones, told where they are; nothing is made up on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest

from creditops.people import PEOPLE
from creditops.secrets import get_secret
from creditops.services import airflow_components, catalogue, databases
from creditops.services.program import Program
from creditops.settings import PROJECT_ROOT, get_settings
from creditops.warehouse.connection import ROLES, address, credentials

Services = dict[str, dict[str, Any]]
RUNNING = ("mlflow", *airflow_components.COMPONENTS)
HOME = "/var/lib/creditops"
# Folders and files of a home that only the embedded form has.
EMBEDDED_ONLY = {"endpoints.json", "postgres", "secrets.json", "simulated", "supervisor"}


@pytest.fixture
def as_container(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that gives this process the environment of a service's container."""

    def become(name: str) -> Mapping[str, str]:
        environment = {key: str(value) for key, value in services[name]["environment"].items()}
        monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path))
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        get_settings.cache_clear()
        return environment

    yield become
    get_settings.cache_clear()


def _program(service_program: ModuleType, name: str) -> Program:
    return next(make() for each, make in service_program._programs().items() if each == name)


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_gets_its_secrets_and_generates_none(
    name: str, as_container: Any, service_program: ModuleType, tmp_path: Path
) -> None:
    as_container(name)
    _program(service_program, name)
    assert not (tmp_path / "secrets.json").exists(), "a generated secret would differ between containers"


@pytest.mark.parametrize("name", RUNNING)
def test_services_find_each_other_by_name(
    name: str, as_container: Any, service_program: ModuleType, services: Services
) -> None:
    container = as_container(name)
    environment = service_program.environment(_program(service_program, name), container)
    found = {
        key: urlsplit(value).hostname
        for key, value in environment.items()
        if key
        in (
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
            "MLFLOW_BACKEND_STORE_URI",
        )
        or (key == "MLFLOW_TRACKING_URI" and name != "mlflow")
    }
    assert found
    assert set(found.values()) <= set(services), found


@pytest.mark.parametrize("name", airflow_components.COMPONENTS)
def test_airflow_differs_from_the_embedded_form_in_its_addresses_only(
    name: str, as_container: Any, service_program: ModuleType
) -> None:
    container = as_container(name)
    program = _program(service_program, name)
    deployed = service_program.environment(program, container)
    embedded = airflow_components.environment(service_program.AIRFLOW_PORT)
    changed = {key for key, value in embedded.items() if deployed[key] != value}
    assert changed <= {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "AIRFLOW__API__BASE_URL"}


def test_a_deployment_may_change_any_airflow_setting(as_container: Any, service_program: ModuleType) -> None:
    container = {**as_container("airflow-scheduler"), "AIRFLOW__CORE__PARALLELISM": "16"}
    program = _program(service_program, "airflow-scheduler")
    assert service_program.environment(program, container)["AIRFLOW__CORE__PARALLELISM"] == "16"


def test_the_command_line_has_every_role_of_the_warehouse(as_container: Any, tmp_path: Path) -> None:
    as_container("creditops")
    assert address().host == "postgres"
    for role in ("owner", *ROLES):
        assert all(credentials(role)), role
    for person in PEOPLE:
        get_secret(f"airflow_{person}")
    get_secret("mlflow_platform")
    get_secret("pii_key")
    assert not (tmp_path / "secrets.json").exists()


def test_tasks_have_the_working_roles_but_not_the_owner(as_container: Any, tmp_path: Path) -> None:
    as_container("airflow-scheduler")
    for role in ROLES:
        assert all(credentials(role)), role
    assert credentials("owner")[1] == ""
    get_secret("mlflow_platform")
    assert not (tmp_path / "secrets.json").exists()


def test_init_knows_the_password_of_every_role_it_makes(as_container: Any, tmp_path: Path) -> None:
    as_container("init")
    for role in ("owner", *ROLES):
        assert all(credentials(role)), role
    for service in databases.SERVICES:
        assert databases.service_url(service)
    assert not (tmp_path / "secrets.json").exists()


def test_services_are_called_as_in_the_embedded_form(services: Services) -> None:
    embedded = {name for service in catalogue.ALL.values() for name in service.program_names}
    assert embedded <= set(services)
    for name in embedded - {"postgres"}:
        assert services[name]["command"] == ["service", name]
        assert services[name]["healthcheck"]["test"] == ["CMD", "healthcheck", name]


@pytest.mark.parametrize("name", ["airflow-scheduler", "creditops"])
def test_every_folder_of_the_home_that_code_uses_can_be_written_or_read(
    name: str, services: Services
) -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for package in ("creditops", "models_ml")
        for path in (PROJECT_ROOT / package).rglob("*.py")
    )
    used = set(re.findall(r"\bhome / \"([\w.]+)\"", source)) - EMBEDDED_ONLY
    assert {"landing", "reports", "dbt"} <= used
    definition = services[name]
    mounts = [volume.split(":")[1] for volume in definition["volumes"]]
    mounts += [tmpfs.split(":")[0] for tmpfs in definition["tmpfs"]]
    # The tracking server alone serves artifacts; the command line starts no Airflow, and it alone fetches.
    elsewhere = {"mlflow", "airflow" if name == "creditops" else "fetching"}
    assert {f"{HOME}/{folder}" for folder in used - elsewhere} <= set(mounts)
