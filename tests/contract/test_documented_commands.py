"""Every command that README and docs show is one: its name, options and arguments are the program's.

The fenced blocks of all pages are walked. A command of ``creditops`` is read by the program's own parser, as
before it runs; what else is shown is a target of the Makefile, a script or module of the project, or one of a
few programs of the system.
"""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer

from creditops.cli import app
from creditops.settings import PROJECT_ROOT, get_settings

PAGES = sorted([*PROJECT_ROOT.glob("README*.md"), *PROJECT_ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SYSTEM = {"source", "docker", "cp", "for", "do", "done", "$EDITOR", "export", "cd", "systemctl", "curl"}
PLACEHOLDERS = {
    "DATE": "2026-06-30",
    "PATH": ".",
    "DIR": ".",
    "FILE": "page.html",
    "NEW.yml": str(PROJECT_ROOT / "Makefile"),
    "NUMBER": "1",
}
MAKEFILE = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")


def shown(page: Path) -> Iterator[str]:
    """Commands of a page: one a line, or several side by side; without comments, continued lines joined."""
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language not in ("", "sh", "bash", "console"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            said = re.sub(r"(^|\s)#.*", "", line).strip()
            yield from (
                each.strip() for each in re.split(r"\s{2,}(?=creditops )|\s&&\s", said) if each.strip()
            )


def forms(command: str) -> Iterator[list[str]]:
    """The words of a command, without and with what stands in brackets."""
    for said in {re.sub(r"\[[^]]*\]", "", command), re.sub(r"[][]", "", command)}:
        yield [PLACEHOLDERS.get(word, word) for word in shlex.split(said)]


def parse(words: list[str]) -> None:
    """Read a command as the program does before it runs it; a wrong name, option or argument is an error."""
    command, rest = typer.main.get_command(app), words[1:]
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]  # type: ignore[attr-defined]
    command.make_context(" ".join(words), rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT_ROOT)))
def test_every_command_of_a_page_is_one(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITOPS_SERVICE_ACCOUNTS", getpass.getuser())  # may name another as actor
    get_settings.cache_clear()
    for command in shown(page):
        program = shlex.split(command.replace("……", "..."))[0]
        if program == "creditops":
            for words in forms(command):
                try:
                    parse(words)
                except typer.TyperException as error:
                    raise AssertionError(f"{command}: {error}") from error
        elif program == "make":
            target = next(w for w in shlex.split(command)[1:] if not w.startswith("-") and "=" not in w)
            assert re.search(rf"^{re.escape(target)}\b[^=]*:", MAKEFILE, re.MULTILINE), command
        elif program == "python":
            assert find_spec(command.split()[2]) is not None, command
        else:
            assert program in SYSTEM or (PROJECT_ROOT / program).is_file(), command
