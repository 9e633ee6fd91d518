"""What the name of a delivered file says: which source it is of, or why nothing is loaded from it."""

from __future__ import annotations

import difflib
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from creditops.errors import DataRefusedError
from creditops.personal_data import NAMES, find, masked
from creditops.reading.file_kinds import SUFFIXES
from creditops.sources.contract import broken_contracts, load_contracts

DONE = ".done"
"""What the name of a marker ends with: the file beside it is whole."""


@dataclass(frozen=True)
class Stray:
    """A file or folder that is not taken, and why."""

    path: Path
    why: str

    def sentence(self) -> str:
        """It and the reason in one line."""
        return f"{masked(self.path.name)} is not taken: {self.why}"


def source_of(path: Path) -> str | None:
    """The source a file name stands for: the text before its first dot, if a contract has it, else the
    first contract whose ``files`` patterns fit. None where the name, which ledger and logs show, holds a
    personal datum.
    """
    if path.name.startswith(".") or not path.name.lower().endswith(SUFFIXES) or find(path.name):
        return None
    name = path.name.split(".", 1)[0]
    contracts = load_contracts()
    if name in contracts or any(each.source == name and each.book is None for each in broken_contracts()):
        return name
    return next((each.source for each in contracts.values() if each.takes_file(path.name)), None)


def refuse_personal(name: str, *, known_as: str | None = None) -> None:
    """Raise :class:`DataRefusedError` where the name of a file holds a personal datum.

    Parameters
    ----------
    known_as: the name under which the user knows the file, where it is another one.
    """
    if held := find(name):
        raise DataRefusedError(
            f"{known_as or name}: the name of the file holds {NAMES[held[0].kind]}",
            hint="rename it: ledger and logs show the names of files",
        )


def is_plain(path: Path) -> bool:
    """Whether a file lies at ``path`` itself: no link to one elsewhere, no pipe, no device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def strays_among(paths: Iterable[Path], takes: Callable[[Path], bool] | None = None) -> list[Stray]:
    """What is not taken of the folders among ``paths``, by name.

    Hidden files and markers are nobody's delivery.

    Parameters
    ----------
    takes: whether a file is taken, where an adapter decides it and not the file's name.
    """
    return [
        Stray(each, why)
        for folder in paths
        if folder.is_dir()
        for each in sorted(folder.iterdir())
        if not each.name.startswith(".")
        and not each.name.endswith(DONE)
        and (why := _why_not_taken(each, takes)) is not None
    ]


def marker_of(path: Path) -> Path:
    """The marker that says that ``path`` is whole."""
    return path.with_name(f"{path.name}{DONE}")


def _why_not_taken(path: Path, takes: Callable[[Path], bool] | None) -> str | None:
    if path.is_dir() and not path.is_symlink():
        return "it is a folder; files are taken from the folder that is named, not from folders in it"
    if not is_plain(path):
        return "it is a link, a pipe or a device; files are taken that lie in the folder themselves"
    if takes is not None:
        return None if takes(path) else "no input of the adapter is called so"
    if held := find(path.name):
        return f"its name holds {NAMES[held[0].kind]}: rename it"
    name = path.name.split(".", 1)[0]
    for broken in broken_contracts():
        if broken.source == name and broken.book is None:
            return f"its contract is at fault: {broken.error}"
    return None if source_of(path) is not None else why_no_source(path.name)


def why_no_source(name: str) -> str:
    """Why a file of this name is of no source."""
    if not name.lower().endswith(SUFFIXES):
        return "a file of this kind cannot be read"
    stem = name.split(".", 1)[0]
    near = difflib.get_close_matches(stem, load_contracts(), n=1, cutoff=0.6)
    return f"no source is called {stem!r}" + (f"; is it {near[0]}?" if near else "")
