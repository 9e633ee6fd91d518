"""Mends the death of the supervisor: the one program whose end nothing else notices.

The guard runs under the supervisor. When its parent is gone it has the whole platform started again by a
process of its own, which ends what was left behind, and ends itself. `creditops down` stops the guard
before the supervisor.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from creditops.services import processes, supervision
from creditops.services.program import Program
from creditops.settings import get_settings

NAME = "guard"
_LOOK_EVERY_SECONDS = 1.0
_UP = "import sys; sys.argv[1:] = ['up']; from creditops.cli import main; main()"


def program() -> Program:
    """The guard, as the supervisor runs it; the supervisor itself is to be its parent."""
    return Program(
        NAME,
        [sys.executable, "-m", "creditops.services.guard", str(supervision.pid())],
        directory=get_settings().home,
        priority=1,
        kept=False,
        start_seconds=0,
    )


def main() -> None:
    """Wait for the parent's end; then start the platform again."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    supervisor = int(sys.argv[1])  # it may have died before the guard was there
    while os.getppid() == supervisor:
        time.sleep(_LOOK_EVERY_SECONDS)
    # Without the marks of what `up` ends.
    unmarked = {
        name: value
        for name, value in os.environ.items()
        if name not in (processes.MARK, processes.PROGRAM) and not name.startswith("SUPERVISOR_")
    }
    with supervision.log_file(NAME).open("a") as log:
        subprocess.Popen(
            [sys.executable, "-c", _UP],
            env=unmarked,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


if __name__ == "__main__":
    main()
