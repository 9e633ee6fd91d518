"""Builds of what changed end with the very tables that one build of everything gives."""

from __future__ import annotations

import pytest

from tests.dbt.daily_builds import assert_chain_equals_a_full_build, deliver, deliveries

#: A first build, and from a month later on every day: over a month's end, and four weeks after it.
A_MONTH_OF_DAYS = (0, *range(29, 61))


@pytest.mark.usefixtures("warehouse", "kept_tables_alone")
def test_a_month_of_daily_builds_equals_one_build_of_everything() -> None:
    """All of the sixty days are ``make soak SOAK=tests/soak/test_sixty_days.py``."""
    deliver(5, deliveries)
    assert_chain_equals_a_full_build(A_MONTH_OF_DAYS)
