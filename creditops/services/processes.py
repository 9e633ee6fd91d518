"""The processes that one home started, and nothing else.

Whatever the supervisor starts inherits :data:`MARK`, so a process of this home is known by its
environment even when its parent has died, and a process of another home never is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "CREDITOPS_SUPERVISED_HOME"


def of_home(home: Path) -> list[psutil.Process]:
    """Living processes started by the supervisor of ``home``, this process excepted."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.environ().get(MARK) == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


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
