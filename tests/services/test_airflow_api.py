"""The client of Airflow's API waits out what passes by itself, and says what does not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from creditops.errors import CreditOpsError, ServiceUnreachableError
from creditops.services import airflow_api
from creditops.services.airflow_api import AirflowApi


@contextmanager
def _answering(statuses: list[int]) -> Iterator[str]:
    """A server whose list of DAGs is answered with these statuses, one after the other, the last for ever."""

    class Answers(BaseHTTPRequestHandler):
        def _answer(self, status: int, body: object) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(201, {"access_token": "x"})

        def do_GET(self) -> None:
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            self._answer(status, {"dags": [{"dag_id": "one"}], "detail": "the database was lost"})

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITOPS_SECRET_AIRFLOW_ADMIN", "x")


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_failure_that_passes_is_waited_out(status: int) -> None:
    with _answering([status, status, 200]) as url, AirflowApi(url=url) as api:
        assert api.dag_ids() == {"one"}


def test_a_failure_that_lasts_is_said_in_the_servers_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "_RETRY_500_FOR_SECONDS", 0.3)
    with (
        _answering([500]) as url,
        AirflowApi(url=url) as api,
        pytest.raises(CreditOpsError, match="500 the database was lost"),
    ):
        api.dag_ids()


def test_a_server_that_stays_away_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "_RETRY_FOR_SECONDS", 0.3)
    with (
        _answering([503]) as url,
        AirflowApi(url=url) as api,
        pytest.raises(ServiceUnreachableError, match="does not answer"),
    ):
        api.dag_ids()


def test_a_run_id_that_the_platform_did_not_seal_is_somebody_elses() -> None:
    name = "creditops__2026-06-30T10:00:00.000001"
    sealed = f"{name}__{airflow_api._seal('publish', name)}"
    assert airflow_api.started_by_platform(f"publish/{sealed}")
    for run in ("publish/creditops__mine", f"publish/{name}__a1b2c3", f"retrain_scorecards/{sealed}", "x"):
        assert not airflow_api.started_by_platform(run)
