"""Long proofs: each tells what it has shown, and the table of docs/soak.md is written from that."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from creditops.settings import PROJECT_ROOT

TABLE = PROJECT_ROOT / "docs" / "soak.md"
Shown = Callable[..., None]
_told: dict[str, tuple[int, float]] = {}


@pytest.fixture
def shown() -> Shown:
    """``shown(claim, cases)``: what a test has proven, on how many cases; called when it has.

    ``seconds`` are those of the test, where it does not measure a part of it.
    """
    started = time.monotonic()

    def tell(claim: str, cases: int, seconds: float | None = None) -> None:
        _told[claim] = (cases, time.monotonic() - started if seconds is None else seconds)

    return tell


def clone_into(folder: Path) -> Path:
    """The files of the project as version control has them, in a new folder."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, names):
        target = folder / "creditops" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / name, target)
    return folder / "creditops"


def pytest_sessionfinish(exitstatus: int) -> None:
    """Put what was shown into the table; a claim that was not run again keeps its row."""
    if exitstatus or not _told:
        return
    head, rows = _read()
    for claim, (cases, seconds) in _told.items():
        rows[claim] = f"| {claim} | {cases:,} | {seconds:,.0f} |"
    TABLE.write_text("\n".join([*head, *(rows[claim] for claim in sorted(rows)), ""]), encoding="utf-8")


def _read() -> tuple[list[str], dict[str, str]]:
    """The page up to its table's second line, and the rows of the table by their claim."""
    lines = TABLE.read_text(encoding="utf-8").rstrip("\n").split("\n")
    below = next(number for number, line in enumerate(lines) if line.startswith("|---")) + 1
    return lines[:below], {line.split("|")[1].strip(): line for line in lines[below:]}
