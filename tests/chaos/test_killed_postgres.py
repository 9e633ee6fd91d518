"""PostgreSQL itself is killed while a file is loaded: raw is as before or complete, and it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psutil
import pytest

from creditops.errors import ServiceUnreachableError
from creditops.ingest.land.landing import land
from creditops.ingest.write.loader import LoadResult, load_file
from creditops.schema import initialise
from creditops.services import lifecycle, postgres
from creditops.settings import get_settings
from creditops.warehouse.connection import connect
from tests.chaos.loading_child import Steps, count_steps
from tests.chaos.payment_files import FIRST, SECOND, deliveries, state, take_back


@pytest.fixture
def own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server of this test alone, with the settings of a real one, that it may kill."""
    monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CREDITOPS_DATABASE_URL", raising=False)
    get_settings.cache_clear()
    lifecycle.up(only={"postgres"}, prepare_warehouse=initialise)
    yield
    lifecycle.down()
    get_settings.cache_clear()


def kill_postgres() -> None:
    """SIGKILL to the postmaster; its sessions end by themselves when they see that it is gone."""
    server = postgres.running_server()
    assert server is not None
    sessions = server.children()
    server.kill()
    psutil.wait_procs([server, *sessions], timeout=60)


def load(file: Path, day: date, kill_at: int = 0) -> tuple[LoadResult | None, int]:
    """Load a file; PostgreSQL is killed before step ``kill_at``. No result if the load could not end."""
    steps = Steps(kill_at, kill_postgres)
    stop_counting = count_steps(steps)
    (landed,) = land("demo", [file], day)
    try:
        return load_file(landed), steps.count
    except ServiceUnreachableError:
        return None, steps.count
    finally:
        stop_counting()


@pytest.mark.usefixtures("own_server")
def test_a_load_outlives_the_death_of_postgresql_at_three_points(tmp_path: Path) -> None:
    files = deliveries(tmp_path)
    load(files[FIRST], FIRST)
    before = state()
    _, steps = load(files[SECOND], SECOND)
    complete = state()
    take_back(SECOND)
    # In the middle of the copy, between copy and insert, and before the last statement.
    for kill_at in (steps // 4, steps // 2, steps):
        result, _ = load(files[SECOND], SECOND, kill_at)
        assert result is None, f"the load went on without PostgreSQL from step {kill_at} of {steps}"
        lifecycle.up(only={"postgres"})
        assert state() in (before, complete)
        again, _ = load(files[SECOND], SECOND)
        assert again is not None
        assert state() == complete
        take_back(SECOND)
    with connect("loader") as connection:
        assert connection.execute("select count(*) from ops.load_unreconciled").fetchone() == (0,)
