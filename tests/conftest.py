"""Fixtures that give tests the real parts: a PostgreSQL server, a fresh warehouse, real data."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from creditops.settings import PROJECT_ROOT, get_settings

# How long an example takes says something of the machine, not of the project.
hypothesis.settings.register_profile("creditops", deadline=None)
hypothesis.settings.load_profile("creditops")

SHARED_DATA = PROJECT_ROOT.parent / "shared" / "data"

# Two workers may start services at the same moment: each looks for free ports from a place of its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
if _WORKER:
    for _name, _port in (("POSTGRES", 5432), ("MLFLOW", 5000), ("AIRFLOW", 8080)):
        os.environ.setdefault(f"CREDITOPS_{_name}_PORT", str(_port + 100 * _WORKER))


class ByFileAndPlatform(LoadScopeScheduling):
    """A file's tests stay on one worker; all that share the running platform on another, from the start."""

    def _split_scope(self, nodeid: str) -> str:
        return "e2e" if nodeid.startswith("tests/e2e/") else nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFileAndPlatform:
    """Groups by name of the test, since ``xdist_group`` marks have no effect under pytest 9.2."""
    return ByFileAndPlatform(config, log)


#: Folders whose tests start services of their own, and those of what `make check` runs.
_WITH_SERVICES = ("tests/chaos/", "tests/deploy/", "tests/services/")
_WITHOUT_SERVICES = ("tests/contract/", "tests/dag/", "tests/dbt/", "tests/unit/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what each test needs; the longest group begins first, and in it what changes the platform for
    others comes last.

    Raises
    ------
    pytest.UsageError: a test below ``tests/unit`` asks for a database.
    """
    for item in items:
        asks = "postgres_server" in getattr(item, "fixturenames", ())
        if asks and item.nodeid.startswith("tests/unit/"):
            raise pytest.UsageError(f"{item.nodeid} asks for a database, so it is no unit test: move it")
        if item.nodeid.startswith("tests/e2e/"):
            item.add_marker("e2e")
        elif asks or item.nodeid.startswith(_WITH_SERVICES):
            item.add_marker("database")
        elif item.nodeid.startswith(_WITHOUT_SERVICES):
            item.add_marker("fast")
    items.sort(
        key=lambda item: (
            not item.nodeid.startswith("tests/e2e/"),
            item.nodeid.startswith("tests/e2e/test_shown_commands.py"),
        )
    )


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real data sets; tests that need them skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not beside the project (../shared/data)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def session_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One CREDITOPS_HOME for the whole test session."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def postgres_server(session_home: Path) -> Iterator[str]:
    """URL of a PostgreSQL server, as superuser and without a database.

    An embedded server below the session's home, or the one that ``CREDITOPS_TEST_POSTGRES``
    names (``postgresql://superuser:password@host:port``).
    """
    outside = os.environ.get("CREDITOPS_TEST_POSTGRES")
    if outside:
        yield outside.rstrip("/")
        return
    from creditops.secrets import get_secret
    from creditops.services import lifecycle

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDITOPS_HOME", str(session_home))
        patch.delenv("CREDITOPS_DATABASE_URL", raising=False)
        get_settings.cache_clear()
        endpoints = lifecycle.up(only={"postgres"})
        password = get_secret("postgres_owner")
        assert endpoints.postgres is not None
        host, port = endpoints.postgres
        try:
            yield f"postgresql://creditops:{password}@{host}:{port}"
        finally:
            patch.setenv("CREDITOPS_HOME", str(session_home))
            get_settings.cache_clear()
            lifecycle.down()
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def _template_database(postgres_server: str, session_home: Path) -> Iterator[str]:
    """A database with an initialised warehouse, copied by every test that asks for one."""
    from creditops.schema import initialise

    name = f"template_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"create database {name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDITOPS_HOME", str(session_home))
        patch.setenv("CREDITOPS_DATABASE_URL", f"{postgres_server}/{name}")
        get_settings.cache_clear()
        initialise()
    get_settings.cache_clear()
    yield name
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def _fresh_warehouse(server: str, template: str, home: Path) -> Iterator[str]:
    name = f"warehouse_{uuid.uuid4().hex[:10]}"
    for what in ("landing", "contracts", "adapters", "scorecards", "places", "policy"):
        shutil.rmtree(home / what, ignore_errors=True)  # what a test brought is nothing to the next
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")
        parts = urlsplit(server)
        assert parts.hostname
        connection.execute(f"revoke all on database {name} from public")
        for role in ("loader", "builder", "modeller", "publisher"):
            connection.execute(f"grant connect, temporary on database {name} to {role}")
        connection.execute(f"grant connect on database {name} to bi_reader")
        connection.execute(f"grant create on database {name} to builder")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CREDITOPS_HOME", str(home))
            patch.setenv("CREDITOPS_DATABASE_URL", f"{server}/{name}")
            get_settings.cache_clear()
            yield f"{server}/{name}"
    finally:
        get_settings.cache_clear()
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def warehouse(postgres_server: str, _template_database: str, session_home: Path) -> Iterator[str]:
    """URL of a fresh, initialised warehouse; ``CREDITOPS_*`` point at it for the test."""
    yield from _fresh_warehouse(postgres_server, _template_database, session_home)


@pytest.fixture(scope="module")
def module_warehouse(postgres_server: str, _template_database: str, session_home: Path) -> Iterator[str]:
    """Like ``warehouse``, one for all tests of a module."""
    yield from _fresh_warehouse(postgres_server, _template_database, session_home)


@pytest.fixture(scope="module")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An MLflow tracking store in a database file of its own; the environment points at it."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.chdir(folder)
        yield folder
