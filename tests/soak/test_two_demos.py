"""Two demos started at once, while another program takes port after port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from creditops.services import processes
from creditops.settings import PROJECT_ROOT
from tests.soak.conftest import Shown

pytestmark = pytest.mark.soak
_WISHED = (5432, 5000, 8080)
_AT_MOST = 60


@contextmanager
def _taking_ports() -> Iterator[list[int]]:
    """Another program that, twice a second, takes the next free port after each wished one."""
    taken: list[socket.socket] = []
    ports: list[int] = []
    done = threading.Event()

    def take() -> None:
        following = dict.fromkeys(_WISHED, 0)
        while not done.wait(0.5):
            for wished in _WISHED:
                while following[wished] < _AT_MOST:
                    other = socket.socket()
                    port = wished + following[wished]
                    following[wished] += 1
                    try:
                        other.bind(("127.0.0.1", port))
                    except OSError:
                        other.close()
                        continue
                    other.listen()
                    taken.append(other)
                    ports.append(port)
                    break

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield ports
    finally:
        done.set()
        thread.join()
        for other in taken:
            other.close()


def test_two_demos_at_once_end_well_while_ports_are_taken(tmp_path: Path, shown: Shown) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    tool = Path(sys.executable).with_name("creditops")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CREDITOPS_")}

    def start(home: Path, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(tool), *words],
            cwd=PROJECT_ROOT,
            env=plain | {"CREDITOPS_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    try:
        with _taking_ports() as taken:
            demos = [start(home, "demo") for home in homes]
            with_words = [(demo, demo.communicate()[0]) for demo in demos]
        for demo, words in with_words:
            assert demo.returncode == 0, words[-4000:]
            assert "publication demo-2026-06-30-" in words
        assert len(taken) > len(_WISHED)
    finally:
        stopped = [start(home, "down") for home in homes]
        for each in stopped:
            each.communicate()
    assert [process for home in homes for process in processes.of_home(home)] == []
    shown("two demos started at once end well while another program takes port after port", 2)
