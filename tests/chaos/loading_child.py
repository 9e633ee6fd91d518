"""Loaders that can be killed at any step of their talk with PostgreSQL, in processes of their own.

Run as ``python -m tests.chaos.loading_child``: for each line ``FILE DAY KILL_AT`` on stdin a forked
process lands and loads the file, and a line ``STATUS STEPS`` says how it ended. Each statement and each
block of a COPY that the loader sends is a step; before step KILL_AT the process kills itself with
SIGKILL (0: never; STEPS is then their number). Everything but the class of the cursors is the loader as
it is. Forking spares the imports; nothing runs in the parent, so there is nothing to break.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import psycopg


class Steps:
    """Counts steps; before one of them calls ``act``."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self.count = 0
        self.at = at
        self.act = act

    def next(self) -> None:
        self.count += 1
        if self.count == self.at:
            self.act()


def counting_cursor(steps: Steps) -> type[psycopg.Cursor[Any]]:
    """A cursor class that counts what it sends."""

    class CountingCursor(psycopg.Cursor[Any]):
        def execute(self, *arguments: Any, **options: Any) -> Any:
            steps.next()
            return super().execute(*arguments, **options)

        @contextmanager
        def copy(self, *arguments: Any, **options: Any) -> Iterator[Any]:
            steps.next()
            with super().copy(*arguments, **options) as stream:
                write = stream.write

                def counted(block: Any) -> None:
                    steps.next()
                    write(block)

                stream.write = counted  # type: ignore[method-assign,assignment]
                yield stream

    return CountingCursor


def count_steps(steps: Steps) -> Callable[[], None]:
    """Let every connection of the loader count its steps; returns what ends that."""
    from creditops.ingest.write import session

    plain = session.connect

    def connect(*arguments: Any, **options: Any) -> psycopg.Connection:
        connection = plain(*arguments, **options)
        connection.cursor_factory = counting_cursor(steps)
        return connection

    def end() -> None:
        session.connect = plain

    session.connect = connect
    return end


def load(file: str, day: str, kill_at: str) -> int:
    """Land and load; returns the steps it took."""
    from creditops.ingest.land.landing import land
    from creditops.ingest.write.loader import load_file

    steps = Steps(int(kill_at), lambda: os.kill(os.getpid(), signal.SIGKILL))
    count_steps(steps)
    (landed,) = land("demo", [Path(file)], date.fromisoformat(day))
    load_file(landed)
    return steps.count


def main() -> None:
    import creditops.ingest.write.loader  # noqa: F401  the imports that every load needs

    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, str(load(*line.split())).encode())
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading) as said:
            print(os.waitstatus_to_exitcode(status), said.read() or 0, flush=True)


if __name__ == "__main__":
    main()
