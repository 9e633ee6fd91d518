"""Runs a program and leaves nothing of it behind: PROGRAM SECONDS COMMAND [WORD ...].

The supervisor starts each program through a keeper, which first ends what an earlier run left
(its keeper was killed, say), adopts whatever the program starts and abandons, and ends that as well
when the program has ended, however it did. Then it ends itself, like the program did, and the
supervisor may start the next one: no port, no lock and no task is held by a dead program's children.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

import psutil

from creditops.services import processes

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_SECONDS_FOR_LEFTOVERS = 3.0
_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Run the program to its end; its exit status."""
    name, seconds, *command = sys.argv[1:]
    home = Path(os.environ[processes.MARK])
    _adopt_orphans()
    processes.end(processes.of_home(home, name), seconds=_SECONDS_FOR_LEFTOVERS)
    child = subprocess.Popen(command, start_new_session=True)

    def forward(number: int, frame: FrameType | None) -> None:
        _signal_group(child.pid, number)
        signal.alarm(int(seconds))

    def insist(number: int, frame: FrameType | None) -> None:
        _signal_group(child.pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, insist)
    for number in _FORWARDED:
        signal.signal(number, forward)
    status = _wait(child.pid)
    left = {one.pid: one for one in psutil.Process().children(recursive=True)}
    left |= {one.pid: one for one in processes.of_home(home, name)}
    processes.end(left.values(), seconds=_SECONDS_FOR_LEFTOVERS)
    return os.waitstatus_to_exitcode(status)


def _adopt_orphans() -> None:
    """Become the parent of descendants whose own parent dies, where the system knows that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wait(pid: int) -> int:
    """Wait for ``pid`` and put to rest any adopted process that ends before it."""
    while True:
        ended, status = os.wait()
        if ended == pid:
            return status


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


if __name__ == "__main__":
    code = main()
    # A program that was killed by a signal ends the keeper as a shell would say it.
    sys.exit(code if code >= 0 else 128 - code)
