"""Real servers for places: SFTP, S3, HTTP; each on a free port of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from creditops.settings import get_settings

USER, PASSWORD = "lender", "not-a-real-password"


@pytest.fixture
def home(module_warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data home of the test's own over the module's warehouse, with an empty fetch ledger."""
    from creditops.secrets import get_secret
    from creditops.warehouse.connection import ROLES, connect

    for role in ROLES:  # the new home has no secrets of its own
        monkeypatch.setenv(f"CREDITOPS_SECRET_POSTGRES_{role.upper()}", get_secret(f"postgres_{role}"))
    monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    with connect("owner") as connection:
        connection.execute("truncate ops.fetch_ledger")
    yield get_settings().home
    get_settings.cache_clear()


@pytest.fixture
def declare(home: Path) -> Callable[..., None]:
    """Writes ``places/<name>.yml``."""

    def write(name: str, **settings: Any) -> None:
        folder = home / "places"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yml").write_text(yaml.safe_dump({"place": name, **settings}), encoding="utf-8")

    return write


@dataclass
class SftpServer:
    """A running SFTP server that serves one folder."""

    port: int
    root: Path
    known_hosts: Path
    loop: asyncio.AbstractEventLoop = field(repr=False)


@pytest.fixture(scope="module")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    """asyncssh's own server, with a host key and one user."""
    import asyncssh

    root = tmp_path_factory.mktemp("sftp")
    key = asyncssh.generate_private_key("ssh-ed25519")

    class Server(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    def served(channel: asyncssh.SSHServerChannel) -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=str(root).encode())

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            Server, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=served
        )

    acceptor = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    port = acceptor.get_port()
    known_hosts = tmp_path_factory.mktemp("ssh") / "known_hosts"
    public = key.export_public_key().decode().strip()
    known_hosts.write_text(f"[127.0.0.1]:{port} {public}\n")
    yield SftpServer(port, root, known_hosts, loop)

    async def stop() -> None:
        acceptor.close()
        running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """Moto's S3 server; its endpoint."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class BureauApi:
    """A small bureau: reports by cursor, pages and links, with failures on demand."""

    def __init__(self, reports: int = 25, size: int = 10) -> None:
        self.reports, self.size = reports, size
        self.seen: list[tuple[str, dict[str, str], dict[str, str], float]] = []
        self.failing: list[tuple[int, dict[str, str]]] = []
        self.dead_from: int | None = None
        self.linked_host: str | None = None

    def report(self, number: int) -> dict[str, Any]:
        return {
            "id": f"R{number}",
            "subject": {"customer": f"C{number}"},
            "score": 600 + number,
            "accounts": [
                {"no": f"A{number}.{k}", "type": "loan", "opened": "2024-01-01", "balance": 1234567890.10 + k}
                for k in range(number % 3)
            ],
        }

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        import json
        import time

        from werkzeug.wrappers import Request, Response

        request = Request(environ)
        self.seen.append((request.path, dict(request.args), dict(request.headers), time.monotonic()))
        if self.failing:
            status, headers = self.failing.pop(0)
            return Response("busy", status=status, headers=headers)(environ, start_response)
        if request.headers.get("Authorization") != "Bearer secret-token":
            return Response("who are you?", status=401)(environ, start_response)
        at = int(request.args.get("cursor") or (int(request.args.get("page", 1)) - 1) * self.size)
        if self.dead_from is not None and at >= self.dead_from:
            return Response("down", status=503)(environ, start_response)
        chosen = [self.report(n) for n in range(at, min(at + self.size, self.reports))]
        following = at + self.size if at + self.size < self.reports else None
        headers = {}
        if request.path.endswith("/linked") and following is not None:
            base = self.linked_host or request.base_url
            headers["Link"] = f'<{base}?cursor={following}>; rel="next"'
        body = {"data": {"items": chosen}, "meta": {"next": following}}
        text = json.dumps(body).replace("1234567890.1,", "1234567890.10,")
        return Response(text, content_type="application/json", headers=headers)(environ, start_response)


@dataclass
class HttpServer:
    """A running HTTP server and the bureau behind it."""

    url: str
    api: BureauApi


@pytest.fixture
def http_server() -> Iterator[HttpServer]:
    """Werkzeug's server in a thread."""
    from werkzeug.serving import make_server

    api = BureauApi()
    server = make_server("127.0.0.1", 0, api, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield HttpServer(f"http://127.0.0.1:{server.server_port}", api)
    server.shutdown()
    thread.join(10)
