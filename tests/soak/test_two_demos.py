"""Two demos started at once, while another program takes port after port."""

from __future__ import annotations

import json
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
from tests.soak.conftest import Shown, clone_into

pytestmark = pytest.mark.soak
_WISHED = (5432, 5000, 8080)
_AT_MOST = 240


@contextmanager
def _taking_ports() -> Iterator[list[int]]:
    """Another program that, each second, takes the next free port after each wished one."""
    taken: list[socket.socket] = []
    ports: list[int] = []
    done = threading.Event()

    def take() -> None:
        following = dict.fromkeys(_WISHED, 0)
        while not done.wait(1):
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
    clones = [clone_into(tmp_path / name) for name in ("one", "two")]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CREDITOPS_")}

    def make(clone: Path, target: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["make", "--no-print-directory", target, f"PYTHON={sys.executable}"],
            cwd=clone,
            env=plain,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    for clone in clones:
        installed = make(clone, "setup")
        words = installed.communicate()[0]
        assert installed.returncode == 0, words[-4000:]
    try:
        with _taking_ports() as taken:
            demos = [make(clone, "demo") for clone in clones]
            with_words = [(demo, demo.communicate()[0]) for demo in demos]
        for demo, words in with_words:
            assert demo.returncode == 0, words[-4000:]
            assert "publication demo-2026-06-30-" in words
        assert len(taken) > len(_WISHED)
        homes = [json.loads((clone / ".creditops" / "endpoints.json").read_text()) for clone in clones]
        assert homes[0] != homes[1]
    finally:
        stopped = [make(clone, "stop") for clone in clones]
        for each in stopped:
            each.communicate()
    assert [each for clone in clones for each in processes.of_home(clone / ".creditops")] == []
    shown(
        "Two `make demo` started at once in two clones end well while another program takes port after port",
        2,
    )
