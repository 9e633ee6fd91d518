"""The processes that one home started, and nothing else.

Whatever the supervisor starts inherits :data:`MARK`, so a process of this home is known by its
environment even when its parent has died, and a process of another home never is. Descendants of
such a process belong to the home as well, whatever they did to their environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "CREDITOPS_SUPERVISED_HOME"
#: Names the supervised program that a process belongs to.
PROGRAM = "CREDITOPS_SUPERVISED_PROGRAM"
#: Keeps `setproctitle` from writing a process's title over its environment, and with it the marks.
KEPT_ENVIRONMENT = {"SPT_NOENV": "1"}


def of_home(home: Path, program: str | None = None) -> list[psutil.Process]:
    """Living processes started by the supervisor of ``home``, this process excepted.

    Parameters
    ----------
    program: only those of one supervised program.
    """
    marked: set[int] = set()
    living: dict[int, psutil.Process] = {}
    parents: dict[int, int] = {}
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            living[process.pid], parents[process.pid] = process, process.ppid()
            marks = process.environ()
        except (psutil.Error, OSError):
            continue
        if marks.get(MARK) == str(home) and program in (None, marks.get(PROGRAM)):
            marked.add(process.pid)
    own = os.getpid()
    return [
        process
        for pid, process in living.items()
        if pid != own and (pid in marked or _descends(pid, parents, marked - {own}))
    ]


def _descends(pid: int, parents: dict[int, int], ancestors: set[int]) -> bool:
    seen: set[int] = set()
    while (pid := parents.get(pid, 0)) and pid not in seen:
        if pid in ancestors:
            return True
        seen.add(pid)
    return False


def end(processes: Iterable[psutil.Process], *, seconds: float) -> None:
    """Ask ``processes`` to end and make them after ``seconds``."""
    alive = list(processes)
    for process in alive:
        _send(process, "terminate")
    _, alive = psutil.wait_procs(alive, timeout=seconds)
    for process in alive:
        _send(process, "kill")
    psutil.wait_procs(alive, timeout=10)


def listens(pid: int, port: int) -> bool | None:
    """Whether the process ``pid`` or a descendant listens on TCP ``port``; ``None``: not visible."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return False
    hidden = False
    for process in family:
        try:
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
        except psutil.NoSuchProcess:
            continue
        except (psutil.AccessDenied, OSError):
            hidden = True
    return None if hidden else False


def _send(process: psutil.Process, what: str) -> None:
    with suppress(psutil.NoSuchProcess):
        getattr(process, what)()
