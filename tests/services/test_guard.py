"""The supervisor's own death is mended without a person."""

from __future__ import annotations

from pathlib import Path

import psutil
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from creditops.services import databases, lifecycle, processes, supervision
from creditops.services.guard import NAME
from tests.services.conftest import living_in

#: Nothing listens there: MLflow and Airflow are left to "others", so that the test starts PostgreSQL alone.
ELSEWHERE = {"CREDITOPS_MLFLOW_URL": "http://127.0.0.1:9", "CREDITOPS_AIRFLOW_URL": "http://127.0.0.1:9"}


@retry(retry=retry_if_result(lambda there: not there), wait=wait_fixed(0.5), stop=stop_after_delay(120))
def until_guarded(before: int) -> bool:
    """Wait until another supervisor than ``before`` runs the server and its guard."""
    states = supervision.states()
    return (
        supervision.is_running()
        and supervision.pid() != before
        and bool(states.get(NAME) and states[NAME].pid)
        and databases.problem() is None
    )


def test_a_killed_supervisor_is_started_again_and_down_leaves_nothing(tmp_path: Path) -> None:
    with living_in(tmp_path / "home", **ELSEWHERE) as home:
        lifecycle.up()
        first = supervision.pid()
        psutil.Process(first).kill()
        until_guarded(first)
        assert lifecycle.left_behind() == []
        guard = supervision.states()[NAME].pid
        assert guard is not None
        psutil.Process(guard).kill()
        until_guarded(first)
        assert "postgres" in lifecycle.down()
        assert processes.of_home(home) == []
        assert not supervision.is_running()
