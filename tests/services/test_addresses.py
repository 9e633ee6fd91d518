"""Where services are found: settings first, then what `up` wrote; and what `status` says of them."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from creditops import addresses
from creditops.addresses import Endpoints
from creditops.errors import ServiceUnreachableError
from creditops.secrets import get_secret
from creditops.services import lifecycle, ports
from creditops.services.program import Program
from creditops.settings import get_settings
from tests.services.conftest import FOREIGN, Said


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Settings of a home where nothing has been started."""
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path))
    get_settings.cache_clear()
    yield monkeypatch
    get_settings.cache_clear()


def test_nothing_started_says_how_to_start(environment: pytest.MonkeyPatch) -> None:
    for ask in (addresses.mlflow_url, addresses.airflow_url, addresses.postgres_address):
        with pytest.raises(ServiceUnreachableError, match="creditops up"):
            ask()


def test_what_up_wrote_is_read_back(environment: pytest.MonkeyPatch) -> None:
    written = Endpoints(("127.0.0.1", 5433), "http://127.0.0.1:5001", "http://127.0.0.1:8081")
    addresses.write_endpoints(written)
    assert addresses.read_endpoints() == written
    assert written.as_dict() == {
        "postgres": {"host": "127.0.0.1", "port": 5433},
        "mlflow": {"url": "http://127.0.0.1:5001"},
        "airflow": {"url": "http://127.0.0.1:8081"},
    }
    assert addresses.mlflow_url() == "http://127.0.0.1:5001"


def test_settings_win_over_what_up_wrote(environment: pytest.MonkeyPatch) -> None:
    addresses.write_endpoints(Endpoints(mlflow_url="http://127.0.0.1:5001"))
    environment.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert addresses.mlflow_url() == "http://tracking:5000"
    environment.setenv("CREDITOPS_MLFLOW_URL", "https://mlflow.example/")
    environment.setenv("CREDITOPS_DATABASE_URL", "postgresql://owner:x@db:6432/warehouse")
    get_settings.cache_clear()
    assert addresses.mlflow_url() == "https://mlflow.example"
    assert addresses.postgres_address() == ("db", 6432)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"postgres": {"host": "127.0.0.1"}}', '{"mlflow": 5000}'])
def test_addresses_and_ports_that_cannot_be_read_count_as_none(
    environment: pytest.MonkeyPatch, tmp_path: Path, said: Said, damage: str
) -> None:
    (tmp_path / "supervisor").mkdir()
    (tmp_path / "supervisor" / "ports.json").write_text(damage)
    addresses.endpoints_file().write_text(damage)
    assert addresses.read_endpoints() == Endpoints()
    assert ports.choose("mlflow", 20_900, progress=said) >= 20_900
    addresses.write_endpoints(Endpoints(mlflow_url="http://127.0.0.1:5001"))
    assert addresses.mlflow_url() == "http://127.0.0.1:5001"


def test_status_of_a_home_where_nothing_runs(environment: pytest.MonkeyPatch) -> None:
    found = lifecycle.status()
    assert not found.healthy
    assert {(one.state, one.healthy, one.pid) for one in found.services} == {("stopped", False, None)}
    assert {one.service for one in found.services} == {"postgres", "mlflow", "airflow"}


def test_a_server_that_somebody_else_runs_is_used_and_not_started(
    server_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = addresses.postgres_address()
    url = f"postgresql://creditops:{get_secret('postgres_owner')}@{host}:{port}/warehouse"
    monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path / "other"))
    monkeypatch.setenv("CREDITOPS_DATABASE_URL", url)
    get_settings.cache_clear()
    try:
        assert lifecycle.up(only={"postgres"}) == Endpoints()
        (server,) = [one for one in lifecycle.status().services if one.service == "postgres"]
        assert (server.state, server.healthy, server.address) == ("external", True, f"{host}:{port}")
        lifecycle.down()
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
    assert lifecycle.status().services[0].healthy


def test_a_home_keeps_its_port_until_another_is_preferred(
    environment: pytest.MonkeyPatch, tmp_path: Path, said: Said
) -> None:
    (tmp_path / "supervisor").mkdir()
    first = ports.choose("mlflow", 20_500, avoid={20_500}, progress=said)
    assert first > 20_500
    assert ports.choose("mlflow", 20_500, progress=said) == first
    assert ports.choose("mlflow", 20_700, progress=said) >= 20_700


def test_looking_at_a_port_does_not_take_it_from_who_is_about_to_listen() -> None:
    with socket.socket() as service:
        service.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        service.bind(("127.0.0.1", 0))
        port = service.getsockname()[1]
        ports.is_free("127.0.0.1", port)
        service.listen()
        assert ports.answers("127.0.0.1", port)
        assert not ports.is_free("127.0.0.1", port)


def test_a_program_is_written_so_that_the_supervisor_reads_it_back(tmp_path: Path) -> None:
    program = Program(
        "one",
        ["run", "two words", "100%"],
        directory=tmp_path,
        environment={"URL": "postgresql://a:b%40c@h/d", "LIST": "a,b;c#d", "WORDS": "it's so"},
        kept=False,
    )
    from supervisor.options import ServerOptions

    configuration = tmp_path / "supervisord.conf"
    configuration.write_text("[supervisord]\n" + program.section(tmp_path / "one.log"))
    options = ServerOptions()
    options.realize(args=["-c", str(configuration)])
    (group,) = options.process_group_configs
    (read,) = group.process_configs
    assert read.command == "run 'two words' 100%"
    assert read.environment == program.environment
    assert read.autostart is False


class ClearText(threading.Thread):
    """Stands where PostgreSQL was, and asks whoever comes for the password in the clear."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard = b""

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(2)
                while first := client.recv(1024):
                    if first[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):  # TLS, GSS
                        client.sendall(b"N")
                        continue
                    client.sendall(b"R\x00\x00\x00\x08\x00\x00\x00\x03")
                    self.heard += client.recv(1024)
                    break


@pytest.fixture
def usurper() -> Iterator[ClearText]:
    server = ClearText()
    server.start()
    yield server
    server.listener.close()


def test_no_password_is_given_to_whoever_took_the_servers_port(
    environment: pytest.MonkeyPatch, usurper: ClearText
) -> None:
    from sqlalchemy import create_engine

    from creditops.services import databases
    from creditops.warehouse.connection import connect, url

    addresses.write_endpoints(Endpoints(("127.0.0.1", usurper.port)))
    with pytest.raises(ServiceUnreachableError, match="authentication"):
        connect("bi_reader")
    assert "authentication" in str(databases.problem())
    for where in (url("builder", driver="postgresql+psycopg2"), databases.service_url("mlflow")):
        with pytest.raises(Exception, match="authentication"):
            create_engine(where).connect()
    assert usurper.heard == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a program as another user")
def test_nobody_logs_in_where_another_user_listens(environment: pytest.MonkeyPatch) -> None:
    from creditops.services.airflow_api import AirflowApi
    from models_ml.store import tracking

    program = (
        "import socket,sys; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True)\n"
        "while True:\n c,_=s.accept(); c.settimeout(1)\n"
        " try: print(c.recv(9),flush=True)\n except OSError: pass"
    )
    stranger = subprocess.Popen(
        ["python3", "-c", program], stdout=subprocess.PIPE, text=True, user=65534, group=65534, cwd="/"
    )
    try:
        assert stranger.stdout is not None
        url = f"http://127.0.0.1:{stranger.stdout.readline().strip()}"
        addresses.write_endpoints(Endpoints(mlflow_url=url, airflow_url=url))
        with pytest.raises(ServiceUnreachableError, match="user 65534 of this machine listens there"):
            tracking.client()
        with pytest.raises(ServiceUnreachableError, match="nothing was sent"), AirflowApi() as api:
            api.dag_ids()
    finally:
        stranger.kill()
        heard = stranger.communicate()[0]
    assert set(heard.split()) <= {"b''"}
