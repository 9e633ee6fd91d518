"""A model that takes three times its usual time, and more than two seconds, raises a warning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest

from creditops.warehouse import connect
from creditops.warehouse.slow_steps import warn_of_slow_steps
from tests.dbt.warehouse_rows import rows

pytestmark = pytest.mark.usefixtures("module_warehouse")  # each test has a book of its own
STEP = "dbt.marts.fct_facility_month"


def warnings_after(book: str, seconds: Sequence[float], scope: str = "changed") -> int:
    """Warnings that the last of these runs raises."""
    with connect("owner") as connection:
        for number, each in enumerate(seconds):
            connection.execute(
                "insert into ops.run_log (run_id, step, rows, seconds, at, book, scope)"
                " values ('test', %s, 1, %s, timestamptz '2026-01-01' + %s * interval '1 day', %s, %s)",
                (STEP, each, number, book, scope),
            )
    with connect("builder") as connection:
        return warn_of_slow_steps(connection, [STEP], book, scope, date(2026, 1, 31))


def test_three_times_the_median_of_the_last_ten_runs_is_slow() -> None:
    assert warnings_after("slow", [90.0, *[1.0] * 9, 2.0, 3.5]) == 1
    (warning,) = rows("select * from ops.operations_warning where book = 'slow'")
    assert warning["message"] == f"{STEP} took 3.5 s, the median of its last 10 runs is 1.0 s"


@pytest.mark.parametrize(
    ("book", "seconds"),
    [
        ("under_the_floor", [0.1] * 5 + [1.9]),
        ("under_the_factor", [2.0] * 5 + [5.9]),
        ("first_runs", [1.0, 1.0, 9.0]),
    ],
)
def test_usual_runs_raise_nothing(book: str, seconds: list[float]) -> None:
    assert warnings_after(book, seconds) == 0


def test_full_builds_are_not_compared_with_daily_ones() -> None:
    warnings_after("scopes", [0.2] * 10)

    assert warnings_after("scopes", [60.0], scope="book") == 0
