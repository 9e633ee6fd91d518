"""One program under supervision, and how it is written for the supervisor."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from creditops.errors import UsageError
from creditops.services import processes

_SECONDS_TO_CLEAR_UP = 5


@dataclass(frozen=True)
class Program:
    """A long-running process of a service.

    Attributes
    ----------
    command: words of the command line; no secret belongs here, other users can read it.
    environment: variables added to those of the supervisor; may hold secrets.
    priority: lower starts earlier and stops later.
    stop_signal, stop_seconds: how to ask it to end, and how long to wait before making it.
    kept: whether a keeper sees to it that nothing of the program outlives it, and passes the
        signal on to its whole process group (:mod:`.keeper`).
    start_seconds: how long it has to live before it counts as started.
    """

    name: str
    command: list[str]
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    priority: int = 20
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    kept: bool = True
    start_seconds: int = 5

    def section(self, log: Path) -> str:
        """The program's section in supervisor's configuration; output goes to ``log``."""
        command, environment, seconds = self.command, self.environment, self.stop_seconds
        if self.kept:
            keeper = [sys.executable, "-m", "creditops.services.keeper", self.name, str(seconds)]
            command, seconds = [*keeper, *command], seconds + _SECONDS_TO_CLEAR_UP
            environment = environment | {processes.PROGRAM: self.name}
        lines = {
            "command": _escaped(shlex.join(command)),
            "directory": _escaped(str(self.directory)),
            "environment": ",".join(
                f"{name}={_quoted(name, value)}" for name, value in sorted(environment.items())
            ),
            "priority": str(self.priority),
            "autostart": "false",
            "autorestart": "true",
            "startsecs": str(self.start_seconds),
            "startretries": "3",
            "stopsignal": self.stop_signal,
            "stopwaitsecs": str(seconds),
            "stopasgroup": "false",
            "killasgroup": "true",
            "stdout_logfile": _escaped(str(log)),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": "3",
            "redirect_stderr": "true",
        }
        body = "\n".join(f"{name}={value}" for name, value in lines.items() if value)
        return f"[program:{self.name}]\n{body}\n"


def _escaped(value: str) -> str:
    return value.replace("%", "%%")


def _quoted(name: str, value: str) -> str:
    """The value in quotes; supervisor's format has no way to write a quote inside."""
    if {'"', "\n"}.intersection(value) or value.endswith("'"):
        raise UsageError(f"{name} holds a quote or a line break: {value!r}", hint="choose another value")
    return f'"{_escaped(value)}"'
