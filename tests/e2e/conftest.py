"""The whole platform, started once: embedded PostgreSQL, MLflow, Airflow, in a data home of its own."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import pytest

from creditops.books import Partition
from creditops.settings import PROJECT_ROOT, get_settings

DAY = date(2026, 6, 30)
BOOK = "demo"
#: What MLflow's client and its login leave in the environment of the process.
MLFLOWS = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")

Command = Callable[..., subprocess.CompletedProcess[str]]
Found = TypeVar("Found")


def until(what: str, look: Callable[[], Found | None], patience: float = 240) -> Found:
    """The first thing ``look`` finds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {patience:.0f} s")


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data home with every service running and an empty warehouse."""
    from creditops.schema import initialise
    from creditops.services import lifecycle

    home = tmp_path_factory.mktemp("platform")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDITOPS_HOME", str(home))
        for name in ("CREDITOPS_DATABASE_URL", *MLFLOWS):
            patch.delenv(name, raising=False)
        get_settings.cache_clear()
        lifecycle.up(prepare_warehouse=initialise)
        try:
            yield home
        finally:
            patch.setenv("CREDITOPS_HOME", str(home))
            get_settings.cache_clear()
            lifecycle.down()
    get_settings.cache_clear()


@pytest.fixture(autouse=True)
def _settings_of_the_platform(platform: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test of this folder works in the platform's home, and leaves no address or login of it behind."""
    monkeypatch.setenv("CREDITOPS_HOME", str(platform))
    for name in MLFLOWS:
        monkeypatch.setenv(name, "")  # noted as absent, so that it is taken away after the test
        monkeypatch.delenv(name)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def creditops(platform: Path) -> Command:
    """The command line, as a user runs it: arguments in, exit code and text out."""

    def run(*arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "creditops"), *arguments],
            env={
                **os.environ,
                "CREDITOPS_HOME": str(platform),
                # Tests act for several people; what that takes otherwise is tested by itself.
                "CREDITOPS_SERVICE_ACCOUNTS": pwd.getpwuid(os.geteuid()).pw_name,
            },
            cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def simulated(platform: Path) -> Path:
    """Source files of a small demo book, with their truth."""
    from creditops.simulate import simulate

    out = platform / "simulated"
    simulate(out, book=BOOK, customers=1200, months=36, seed=11, as_of=DAY)
    return out


@pytest.fixture(scope="session")
def published(platform: Path, simulated: Path, creditops: Command) -> str:
    """Publication id of the demo book after one run of the whole chain through Airflow."""
    landed = creditops("ingest", BOOK, str(simulated), "--as-of", DAY.isoformat(), "--land-only")
    assert landed.returncode == 0, landed.stderr
    ran = creditops("run", "all", "--book", BOOK, "--as-of", DAY.isoformat(), "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert Partition(BOOK, DAY).key == "demo|2026-06-30"
    return current_publication(creditops, BOOK)


def current_publication(creditops: Command, book: str) -> str:
    """What the pointer names, as a BI tool sees it."""
    (row,) = query(creditops, f"select publication_id from publish.publication where book = '{book}'")
    return str(row["publication_id"])


def query(creditops: Command, statement: str, role: str = "bi_reader") -> list[dict[str, Any]]:
    """Rows of a statement run with a role's rights."""
    done = creditops("query", statement, "--as", role, "--json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))
