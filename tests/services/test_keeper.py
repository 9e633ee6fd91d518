"""What a supervised program starts ends with it, whatever it did to be forgotten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from creditops.services import processes
from tests.services.conftest import environment_of

#: Starts a worker in a session of its own, which gives itself a title or loses its environment, and waits.
PROGRAM = """
import os, subprocess, sys, time
worker = '''
import sys, time
from setproctitle import setproctitle
setproctitle("a title that is longer than the words of the command line, and then some more")
print("ready", flush=True)
time.sleep(600)
'''
environment = None if "titled" in sys.argv else {"PYTHONPATH": os.pathsep.join(sys.path)}
subprocess.Popen([sys.executable, "-c", worker], start_new_session=True, env=environment)
time.sleep(600)
"""
START = [sys.executable, "-m", "creditops.services.keeper", "one", "2", sys.executable, "-c", PROGRAM]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[psutil.Process]]:
    """Everything a test has started, ended in the end."""
    begun: list[psutil.Process] = []
    yield begun
    for process in begun:
        with suppress(psutil.NoSuchProcess):
            processes.end([*process.children(recursive=True), process], seconds=0)


def _start(home: Path, kind: str, started: list[psutil.Process]) -> list[psutil.Process]:
    """Keeper, program and worker."""
    environment = environment_of(home) | processes.KEPT_ENVIRONMENT
    environment |= {processes.MARK: str(home), processes.PROGRAM: "one"}
    keeper = subprocess.Popen([*START, kind], env=environment, stdout=subprocess.PIPE, text=True)
    assert keeper.stdout is not None
    assert keeper.stdout.readline() == "ready\n"
    family = [psutil.Process(keeper.pid), *psutil.Process(keeper.pid).children(recursive=True)]
    assert len(family) == 3
    started += family
    return family


@pytest.mark.parametrize("kind", ["titled", "without environment"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_ends_leaves_no_worker(
    tmp_path: Path, started: list[psutil.Process], kind: str, number: int
) -> None:
    keeper, program, worker = _start(tmp_path, kind, started)
    (keeper if number == signal.SIGTERM else program).send_signal(number)
    assert keeper.wait(60) == 128 + number
    assert not worker.is_running()
    assert processes.of_home(tmp_path) == []


def test_a_program_that_will_not_end_is_made_to(tmp_path: Path, started: list[psutil.Process]) -> None:
    deaf = "import signal, time\n"
    deaf += "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('x', flush=1); time.sleep(600)"
    keeper = subprocess.Popen(
        [*START[:5], sys.executable, "-c", deaf],
        env=environment_of(tmp_path) | {processes.MARK: str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    started.append(psutil.Process(keeper.pid))
    assert keeper.stdout is not None
    keeper.stdout.readline()
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(60) == 128 + signal.SIGKILL


def test_what_a_killed_keeper_left_is_ended_by_the_next(
    tmp_path: Path, started: list[psutil.Process]
) -> None:
    keeper, program, worker = _start(tmp_path, "titled", started)
    keeper.kill()
    keeper.wait(60)
    assert {one.pid for one in processes.of_home(tmp_path)} == {program.pid, worker.pid}
    assert processes.of_home(tmp_path, "another") == []
    again = _start(tmp_path, "titled", started)
    assert not program.is_running()
    assert not worker.is_running()
    assert {one.pid for one in processes.of_home(tmp_path)} == {one.pid for one in again}
    assert processes.of_home(tmp_path / "other") == []
    assert os.getpid() not in {one.pid for one in again}
