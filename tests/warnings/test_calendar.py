"""Month ends, leap years and days that a month does not have."""

from __future__ import annotations

from datetime import date

import pytest

from creditops.warnings.calendar import last_month_end, month_end, months_earlier


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 6, 30), date(2026, 6, 30)),
        (date(2026, 6, 29), date(2026, 5, 31)),
        (date(2024, 2, 29), date(2024, 2, 29)),
        (date(2026, 1, 1), date(2025, 12, 31)),
    ],
)
def test_the_observed_day_is_the_last_month_end(day: date, expected: date) -> None:
    assert last_month_end(day) == expected


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 6, 30), 3, date(2026, 3, 31)),
        (date(2026, 5, 31), 3, date(2026, 2, 28)),
        (date(2026, 5, 30), 3, date(2026, 2, 28)),
        (date(2026, 6, 15), 12, date(2025, 6, 15)),
        (date(2026, 1, 31), 12, date(2025, 1, 31)),
    ],
)
def test_a_month_end_stays_one_months_earlier(day: date, months: int, expected: date) -> None:
    assert months_earlier(day, months) == expected


def test_months_before_cross_the_year() -> None:
    assert month_end(date(2026, 2, 28), months_before=14) == date(2024, 12, 31)
