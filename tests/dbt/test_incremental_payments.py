"""Builds in which only payments change end as one build of everything."""

from __future__ import annotations

import pytest

from tests.dbt.daily_builds import assert_chain_equals_a_full_build, deliver, payments_alone


@pytest.mark.usefixtures("warehouse", "kept_tables_alone")
def test_builds_in_which_only_payments_change_equal_one_build() -> None:
    deliver(7, payments_alone)
    assert_chain_equals_a_full_build(range(0, 61, 4))
