"""The health check asks what it should and believes only fresh heartbeats."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType
from typing import Any

import pytest

from creditops.services import airflow_components

_NOW = datetime.now(UTC)


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, dict[str, Any]]]:
    """A server with Airflow's health page; the mapping is what it says."""
    report: dict[str, dict[str, Any]] = {
        "metadatabase": {"status": "healthy"},
        **{
            part: {"status": "healthy", f"latest_{part}_heartbeat": (_NOW + timedelta(days=1)).isoformat()}
            for part in ("scheduler", "dag_processor", "triggerer")
        },
    }

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/api/v2/monitor/health"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(json.dumps(report).encode())

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("CREDITOPS_AIRFLOW_URL", f"http://127.0.0.1:{server.server_port}")
        yield report
        server.shutdown()
        thread.join()


WATCHED = ("airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")


def test_components_are_those_of_the_services(healthcheck_program: ModuleType) -> None:
    assert healthcheck_program.COMPONENTS == airflow_components.COMPONENTS


def test_ports_are_those_that_services_listen_on(
    healthcheck_program: ModuleType, service_program: ModuleType
) -> None:
    assert f":{service_program.MLFLOW_PORT}/" in healthcheck_program.MLFLOW
    assert healthcheck_program.API_SERVER.endswith(f":{service_program.AIRFLOW_PORT}")


@pytest.mark.parametrize("name", WATCHED)
def test_a_component_with_fresh_heartbeats_is_well(
    name: str, airflow: dict[str, dict[str, Any]], healthcheck_program: ModuleType
) -> None:
    assert healthcheck_program.problem(name) is None


@pytest.mark.parametrize("name", WATCHED)
def test_a_component_without_heartbeats_is_not(
    name: str, airflow: dict[str, dict[str, Any]], healthcheck_program: ModuleType
) -> None:
    airflow[healthcheck_program.COMPONENTS[name]]["status"] = "unhealthy"
    assert "unhealthy" in healthcheck_program.problem(name)


@pytest.mark.parametrize("name", WATCHED)
def test_the_heartbeat_of_an_earlier_container_does_not_count(
    name: str, airflow: dict[str, dict[str, Any]], healthcheck_program: ModuleType
) -> None:
    component = healthcheck_program.COMPONENTS[name]
    airflow[component][f"latest_{component}_heartbeat"] = "2000-01-01T00:00:00+00:00"
    assert "no heartbeat yet" in healthcheck_program.problem(name)


def test_no_answer_is_an_error(monkeypatch: pytest.MonkeyPatch, healthcheck_program: ModuleType) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        monkeypatch.setenv("CREDITOPS_AIRFLOW_URL", f"http://127.0.0.1:{closed.server_port}")
    with pytest.raises(OSError, match="refused"):
        healthcheck_program.problem("airflow-scheduler")
