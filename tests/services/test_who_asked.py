"""Who asked for a run stands in the audit, whatever was set off by it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from creditops import clock
from creditops.warehouse import audit
from creditops.warehouse.connection import connect

KEY = "demo|2026-06-30"


@pytest.mark.usefixtures("warehouse")
def test_those_who_asked_within_a_day_are_known_the_last_one_first() -> None:
    with connect("publisher") as connection:
        assert audit.who_asked(connection, KEY) == []
        for who, key in (("ann", KEY), ("ben", KEY), ("cho", "demo|2026-05-31"), ("ann", KEY)):
            audit.append(connection, who, "run.request", key)
        audit.append(connection, "dee", "publish.flip", KEY)
        assert audit.who_asked(connection, KEY) == ["ann", "ben"]
        assert audit.who_asked(connection, KEY, clock.now() + timedelta(hours=1)) == ["ann", "ben"]
        assert audit.who_asked(connection, KEY, clock.now() - timedelta(hours=1)) == []
        assert audit.who_asked(connection, KEY, clock.now() + timedelta(days=2)) == []
