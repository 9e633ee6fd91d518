"""Homes of their own for tests that start and stop real services."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from creditops.services import lifecycle
from creditops.settings import get_settings

FOREIGN = (
    "CREDITOPS_DATABASE_URL",
    "CREDITOPS_MLFLOW_URL",
    "CREDITOPS_AIRFLOW_URL",
    "CREDITOPS_POSTGRES_BIN",
    "MLFLOW_TRACKING_URI",
)
ChangeHome = Callable[[Path], None]


@contextmanager
def living_in(home: Path, **environment: str) -> Iterator[Path]:
    """Settings of ``home`` alone; its services are stopped in the end."""
    with pytest.MonkeyPatch.context() as patch:
        for name in FOREIGN:
            patch.delenv(name, raising=False)
        for name, value in {"CREDITOPS_HOME": str(home), **environment}.items():
            patch.setenv(name, value)
        get_settings.cache_clear()
        try:
            yield home
        finally:
            get_settings.cache_clear()
            lifecycle.down()
    get_settings.cache_clear()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty home."""
    with living_in(tmp_path / "home") as place:
        yield place


@pytest.fixture(scope="module")
def server_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose PostgreSQL has been started and is left to the tests of a module."""
    with living_in(tmp_path_factory.mktemp("server") / "home") as place:
        lifecycle.up(only={"postgres"})
        yield place


class Said(list[str]):
    """What a command said, as a progress function."""

    def __call__(self, sentence: str) -> None:
        self.append(sentence)

    def mentions(self, *words: str) -> bool:
        """Whether one sentence holds all of ``words``."""
        return any(all(word in sentence for word in words) for sentence in self)


@pytest.fixture
def said() -> Said:
    return Said()


def environment_of(home: Path) -> dict[str, str]:
    """Environment of another process that works on ``home``."""
    return {name: value for name, value in os.environ.items() if name not in FOREIGN} | {
        "CREDITOPS_HOME": str(home)
    }
