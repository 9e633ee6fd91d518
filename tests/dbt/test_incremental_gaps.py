"""Days left out between builds of what changed leave no trace."""

from __future__ import annotations

import pytest

from tests.dbt.daily_builds import assert_chain_equals_a_full_build, deliver, deliveries


@pytest.mark.usefixtures("warehouse", "kept_tables_alone", "only_material_days_count")
def test_builds_with_gaps_equal_one_build_where_only_material_days_count() -> None:
    deliver(6, deliveries)
    assert_chain_equals_a_full_build((0, 1, 2, 9, 17, 18, 19, 36, 37, 60))
