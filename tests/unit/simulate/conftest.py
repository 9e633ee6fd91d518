from __future__ import annotations

import pytest

from creditops.simulate import simulate
from tests.unit.simulate.simulated_book import SimulatedBook


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> SimulatedBook:
    """The demo book at its usual size."""
    return SimulatedBook(simulate(tmp_path_factory.mktemp("simulated"), customers=2400, months=36, seed=7))
