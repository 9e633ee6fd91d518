"""Fixtures: the subjects' tables in a real warehouse."""

from __future__ import annotations

import pytest

from tests.warnings.portfolio import Portfolio


@pytest.fixture
def portfolio(warehouse: str) -> Portfolio:
    """The subjects' tables in a fresh warehouse."""
    return Portfolio()


@pytest.fixture(scope="module")
def module_portfolio(module_warehouse: str) -> Portfolio:
    """The subjects' tables in a warehouse for all tests of a module."""
    return Portfolio()
