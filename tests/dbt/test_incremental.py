"""Builds of what changed end with the very tables that one build of everything gives."""

from __future__ import annotations

import pytest

from tests.dbt.daily_builds import assert_chain_equals_a_full_build, deliver, deliveries


@pytest.mark.usefixtures("warehouse", "kept_tables_alone")
def test_sixty_daily_builds_equal_one_build_of_everything() -> None:
    deliver(5, deliveries)
    assert_chain_equals_a_full_build(range(61))
