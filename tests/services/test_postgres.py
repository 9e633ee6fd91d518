"""The embedded PostgreSQL of a home: who may enter, and that `up` and `down` can be repeated."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from creditops import addresses
from creditops.secrets import get_secret
from creditops.services import databases, lifecycle, postgres, processes
from tests.services.conftest import Said


def _pid() -> int | None:
    (server,) = [one for one in lifecycle.status().services if one.name == "postgres"]
    return server.pid


def test_each_service_has_a_database_that_its_role_alone_may_enter(server_home: Path) -> None:
    for name in databases.SERVICES:
        with databases.connect(name, get_secret(f"postgres_{name}"), name) as connection:
            assert connection.execute("select current_user").fetchone() == (name,)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        databases.connect("mlflow", get_secret("postgres_mlflow"), "airflow")


def test_a_wrong_password_is_refused(server_home: Path) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        databases.connect("creditops", "wrong", "warehouse")


def test_the_server_sorts_by_code_point_and_keeps_no_clear_passwords(server_home: Path) -> None:
    with databases.connect("creditops", get_secret("postgres_owner"), "warehouse") as connection:
        provider = connection.execute(
            "select datlocprovider, datlocale from pg_database where datname = 'warehouse'"
        ).fetchone()
        verifiers = connection.execute("select rolpassword from pg_authid where rolcanlogin").fetchall()
    assert provider in (("b", "C.UTF-8"), ("c", None))
    assert all(verifier.startswith("SCRAM-SHA-256$") for (verifier,) in verifiers)


def test_the_server_listens_on_this_machine_alone(server_home: Path) -> None:
    pid = _pid()
    assert pid is not None
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_the_server_is_not_run_by_root(server_home: Path) -> None:
    pid = _pid()
    assert pid is not None
    assert psutil.Process(pid).uids().effective != 0


def test_no_secret_is_on_a_command_line_or_readable_by_others(server_home: Path) -> None:
    values = json.loads((server_home / "secrets.json").read_text()).values()
    for process in processes.of_home(server_home):
        assert not any(value in word for word in process.cmdline() for value in values)
    holders = [path for path in server_home.rglob("*.conf") if any(v in path.read_text() for v in values)]
    for path in [server_home / "secrets.json", *holders]:
        assert path.stat().st_mode & 0o077 == 0


def test_up_again_starts_nothing_anew(server_home: Path) -> None:
    before, endpoints = _pid(), addresses.read_endpoints()
    assert lifecycle.up(only={"postgres"}) == endpoints
    assert _pid() == before


def test_two_ups_at_once_agree(server_home: Path) -> None:
    before = _pid()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: lifecycle.up(only={"postgres"}), range(2))
    assert first == second
    assert _pid() == before


def test_down_when_nothing_runs_is_no_error(home: Path) -> None:
    assert lifecycle.down() == []


def test_the_warehouse_is_prepared_once_postgres_answers(server_home: Path) -> None:
    found = []
    lifecycle.up(only={"postgres"}, prepare_warehouse=lambda: found.append(databases.problem()))
    assert found == [None]


def test_down_leaves_no_process_and_up_brings_data_and_port_back(home: Path, said: Said) -> None:
    first = lifecycle.up(only={"postgres"})
    owner = ("creditops", get_secret("postgres_owner"), "warehouse")
    with databases.connect(*owner) as connection:
        connection.execute("create table kept as select 42 as answer")
    server = postgres.running_server()
    assert server is not None
    assert lifecycle.down() == ["postgres"]
    assert not server.is_running()
    assert processes.of_home(home) == []
    assert not addresses.endpoints_file().exists()
    assert lifecycle.up(said, only={"postgres"}) == first
    with databases.connect(*owner) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)
    assert not said.mentions("data directory")
