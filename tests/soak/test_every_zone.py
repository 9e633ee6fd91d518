"""Clock times in every time zone there is."""

from __future__ import annotations

import zoneinfo

import pytest

from creditops.zone_rules import changes
from tests.contract.clock_times import differing
from tests.soak.conftest import Shown

pytestmark = pytest.mark.soak
YEARS = range(1990, 2041)


def test_clock_times_and_ends_of_days_in_every_zone(shown: Shown) -> None:
    zones = {
        tuple(change for year in YEARS for change in changes(zone, year)): zone
        for zone in sorted(zoneinfo.available_timezones())
        if "/" in zone
    }  # one of each set of rules
    assert {zone: found for zone in zones.values() if (found := differing(zone, YEARS))} == {}
    shown("Clock times and ends of days about every change of a zone's clocks, 1990 to 2040", len(zones))
