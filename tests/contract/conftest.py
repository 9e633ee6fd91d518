"""A data home of its own for tests that add sources or adapters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from creditops.settings import get_settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty ``CREDITOPS_HOME`` that the settings point at."""
    monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path))
    get_settings.cache_clear()
    yield get_settings().home
    get_settings.cache_clear()
