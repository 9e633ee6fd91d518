"""A load killed at any point leaves raw as before or complete, and runs again to the same end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from creditops.settings import PROJECT_ROOT
from creditops.warehouse.connection import connect
from tests.chaos.payment_files import BAD, FIRST, ROWS, SECOND, deliveries, state, take_back

KILLS = 10


class Loaders:
    """The process that forks a loader per command."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.loading_child"],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, file: Path, day: date, kill_at: int = 0) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{file} {day} {kill_at}\n")
        self.process.stdin.flush()

    def end(self) -> tuple[int, int]:
        """Exit status and steps of the load that was started first."""
        assert self.process.stdout is not None
        status, steps = self.process.stdout.readline().split()
        return int(status), int(steps)

    def load(self, file: Path, day: date) -> int:
        """A whole load; returns its steps."""
        self.start(file, day)
        status, steps = self.end()
        assert status == 0
        return steps


@pytest.fixture
def loaders(warehouse: str) -> Iterator[list[Loaders]]:
    both = [Loaders(), Loaders()]
    yield both
    for each in both:
        each.process.communicate(timeout=60)


def ten_of(steps: int) -> list[int]:
    """Ten steps from the first to the last."""
    return sorted({1 + round(each * (steps - 1) / (KILLS - 1)) for each in range(KILLS)})


def test_a_load_killed_at_ten_points_leaves_raw_as_before_or_complete(
    loaders: list[Loaders], tmp_path: Path
) -> None:
    files = deliveries(tmp_path)
    loader = loaders[0]
    states = [state()]
    steps = {}
    for day, file in files.items():
        steps[day] = loader.load(file, day)
        states.append(state())
    take_back(*files)
    assert state() == states[0]
    for day, before, complete in zip(files, states, states[1:], strict=False):
        # The second delivery takes the longer way, through a stage.
        points = ten_of(steps[day]) if day == SECOND else ten_of(steps[day])[1::4]
        assert len(points) == (KILLS if day == SECOND else 3)
        for kill_at in points:
            loader.start(files[day], day, kill_at)
            status, _ = loader.end()
            assert status == -signal.SIGKILL
            assert state() in (before, complete), f"killed before step {kill_at} of {steps[day]}"
            loader.load(files[day], day)
            assert state() == complete, f"run again after the kill before step {kill_at}"
            if kill_at != points[-1]:
                take_back(day)


def test_of_two_loaders_at_once_one_loads_and_the_other_finds_the_file_loaded(
    loaders: list[Loaders], tmp_path: Path
) -> None:
    file = deliveries(tmp_path)[FIRST]
    for each in loaders:
        each.start(file, FIRST)
    assert [each.end()[0] for each in loaders] == [0, 0]
    with connect("loader") as connection:
        lines = connection.execute(
            "select status, rows_read, rows_loaded, rows_unchanged, rows_quarantined from ops.load_ledger"
            " order by batch_id"
        ).fetchall()
    assert lines == [("loaded", ROWS, ROWS - BAD, 0, BAD), ("repeat", ROWS, 0, ROWS, 0)]


def test_the_second_delivery_holds_every_kind_of_row(loaders: list[Loaders], tmp_path: Path) -> None:
    for day, file in deliveries(tmp_path).items():
        loaders[0].load(file, day)
    with connect("loader") as connection:
        line = connection.execute(
            "select rows_read, rows_loaded, rows_unchanged, rows_quarantined from ops.load_ledger"
            " where delivery_date = %s",
            (SECOND,),
        ).fetchone()
    changed = sum(number % 7 == 0 for number in range(1_000, ROWS))
    assert line == (2_502, 500 + changed, 2_502 - 500 - changed - 1, 1)
