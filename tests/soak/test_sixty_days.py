"""Sixty daily builds, none left out: the long form of :mod:`tests.dbt.test_incremental`."""

from __future__ import annotations

import pytest

from tests.dbt.conftest import kept_tables_alone as kept_tables_alone
from tests.dbt.daily_builds import assert_chain_equals_a_full_build, deliver, deliveries
from tests.soak.conftest import Shown

pytestmark = pytest.mark.soak


@pytest.mark.usefixtures("warehouse", "kept_tables_alone")
def test_sixty_daily_builds_equal_one_build_of_everything(shown: Shown) -> None:
    deliver(5, deliveries)
    assert_chain_equals_a_full_build(range(61))
    shown("Daily builds, none left out, that end with the very tables of one build of everything", 61)
