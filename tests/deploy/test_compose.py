"""What the compose file promises: health, order, loopback ports, pinned images, least privilege."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from podman_compose import rec_subs

from creditops.settings import PROJECT_ROOT, Settings

ONE_SHOT = {"init", "creditops"}
Services = dict[str, dict[str, Any]]


def _long_running(services: Services) -> Services:
    return {name: service for name, service in services.items() if name not in ONE_SHOT}


def test_the_design_names_these_services(services: Services) -> None:
    assert set(services) == {
        "postgres",
        "init",
        "mlflow",
        "airflow-api-server",
        "airflow-scheduler",
        "airflow-dag-processor",
        "airflow-triggerer",
        "creditops",
    }


def test_every_long_running_service_has_a_health_check_and_restarts(services: Services) -> None:
    for name, service in _long_running(services).items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert service["healthcheck"]["start_period"], name
        assert service["restart"] == "unless-stopped", name


def test_one_shots_are_not_started_again(services: Services) -> None:
    assert {services[name]["restart"] for name in ONE_SHOT} == {"no"}


def test_services_wait_for_the_health_of_what_they_need(services: Services) -> None:
    assert services["init"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name, service in _long_running(services).items():
        if name != "postgres":
            conditions = {need: rule["condition"] for need, rule in service["depends_on"].items()}
            wanted = {
                need: "service_completed_successfully" if need == "init" else "service_healthy"
                for need in conditions
            }
            assert conditions == wanted, name
            assert set(conditions) <= set(services), name


def test_ports_are_published_on_loopback_only(services: Services) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert not any(service.get("network_mode") for service in services.values())


def test_default_images_are_pinned(services: Services, dockerfiles: dict[Any, str]) -> None:
    images = [service["image"] for service in services.values()]
    images += re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", "\n".join(dockerfiles.values()), re.MULTILINE)
    for image in images:
        _, _, tag = image.partition(":")
        assert tag, image
        assert tag != "latest", image
    assert services["postgres"]["image"] == "postgres:18"


def test_the_base_image_is_the_same_in_compose_and_dockerfile(
    services: Services, dockerfiles: dict[Any, str]
) -> None:
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", "\n".join(dockerfiles.values()), re.MULTILINE)
    assert services["init"]["build"]["args"]["PYTHON_IMAGE"] == base


def test_one_service_builds_the_image_that_all_but_postgres_run(services: Services) -> None:
    assert [name for name, service in services.items() if "build" in service] == ["init"]
    project = {service["image"] for name, service in services.items() if name != "postgres"}
    assert project == {services["init"]["image"]}


def test_settings_in_the_environment_exist(services: Services) -> None:
    known = {f"CREDITOPS_{name.upper()}" for name in Settings.model_fields}
    for name, service in services.items():
        used = {
            key
            for key in service.get("environment", {})
            if key.startswith("CREDITOPS_") and not key.startswith("CREDITOPS_SECRET_")
        }
        assert used <= known, name
        values = {key.removeprefix("CREDITOPS_").lower(): service["environment"][key] for key in used}
        Settings(_env_file=None, **values)


def test_the_example_names_only_variables_that_compose_reads(compose_text: str) -> None:
    example = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")
    shown = re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", example, re.MULTILINE)
    defaults = dict(re.findall(r"\$\{([A-Z0-9_]+):-([^}]*)\}", compose_text))
    assert shown
    for name, value in shown:
        assert defaults.get(name) == value, name
    assert "SECRET_" not in example


def test_no_secret_is_written_down(raw_services: Services, dockerfiles: dict[Any, str]) -> None:
    for name, service in raw_services.items():
        for key, value in service.get("environment", {}).items():
            if re.search(r"SECRET|PASSWORD|TOKEN|_KEY$", key):
                assert re.fullmatch(r"\$\{CREDITOPS_SECRET_[A-Z0-9_]+:\?run docker/make-env.sh\}", value), (
                    f"{name}: {key}"
                )
            assert not re.search(r"://[^:/@]+:(?!\$\{CREDITOPS_SECRET_)[^@]*@", str(value)), f"{name}: {key}"
    for path, text in dockerfiles.items():
        assert not re.search(r"(?i)^(ENV|ARG)\b.*(secret|password|token)", text, re.MULTILINE), path


def test_a_missing_secret_stops_compose(raw_services: Services, secrets: Mapping[str, str]) -> None:
    for name in secrets:
        without = {key: value for key, value in secrets.items() if key != name}
        with pytest.raises(ValueError, match="make-env"):
            rec_subs(raw_services, without)


def test_containers_are_confined(services: Services) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        assert name == "postgres" or "cap_add" not in service, name


def test_a_service_holds_only_the_secrets_it_needs(services: Services, secrets: Mapping[str, str]) -> None:
    holders: dict[str, set[str]] = {name: set() for name in secrets}
    for service, definition in services.items():
        values = " ".join(map(str, definition.get("environment", {}).values()))
        for name, secret in secrets.items():
            if secret in values:
                holders[name].add(service)
    airflow = {name for name in services if name.startswith("airflow-")}
    people = {"airflow-api-server", "creditops", "mlflow"}
    working = {"init", "airflow-scheduler", "creditops"}
    expected = {
        "POSTGRES_OWNER": {"postgres", "init", "creditops"},
        "POSTGRES_LOADER": working,
        "POSTGRES_BUILDER": working,
        "POSTGRES_MODELLER": working,
        "POSTGRES_PUBLISHER": working,
        "POSTGRES_BI_READER": working,
        "POSTGRES_MLFLOW": {"init", "mlflow"},
        "POSTGRES_AIRFLOW": {"init", *airflow},
        "AIRFLOW_FERNET": {"init", *airflow},
        "AIRFLOW_API": {"init", *airflow},
        "AIRFLOW_JWT": {"init", *airflow},
        "AIRFLOW_ADMIN": people | {"airflow-scheduler"},  # `deliver` starts runs
        "AIRFLOW_MODELLER": people,
        "AIRFLOW_APPROVER": people,
        "MLFLOW_PLATFORM": {"mlflow", "airflow-scheduler", "creditops"},
        "MLFLOW_SESSIONS": {"mlflow"},
        "PII_KEY": {"airflow-scheduler", "creditops"},
    }
    assert {name.removeprefix("CREDITOPS_SECRET_"): found for name, found in holders.items()} == expected
