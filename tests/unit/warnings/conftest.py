"""Fixtures: the subjects' tables in a real warehouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.warnings.portfolio import Portfolio


@pytest.fixture
def portfolio(warehouse: str) -> Iterator[Portfolio]:
    """The subjects' tables in a fresh warehouse."""
    yield Portfolio()


@pytest.fixture(scope="module")
def module_portfolio(module_warehouse: str) -> Iterator[Portfolio]:
    """The subjects' tables in a warehouse for all tests of a module."""
    yield Portfolio()
