"""Writes a book's files block by block: identifiers go on from one block of customers to the next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from creditops.simulate.files.source_files import SOURCES, TRUTH, append_file, identifiers

Progress = Callable[[str, int], None]
"""Called with a file's name (``truth/...`` for hidden ones) and its rows so far."""

_SHARED = frozenset({"partner", "collector", "counterparty"})
"""Identifiers that mean the same in every block."""


class BookFiles:
    """The files of one book in a folder; every source is written once or once for each block.

    Attributes
    ----------
    rows, paths: by file name, ``truth/...`` for hidden ones.
    """

    def __init__(self, folder: Path, progress: Progress | None = None) -> None:
        self.rows: dict[str, int] = {}
        self.paths: dict[str, Path] = {}
        self._folder = Path(folder)
        self._progress = progress
        self._base: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        (self._folder / "truth").mkdir(parents=True, exist_ok=True)

    def write(self, name: str, frame: pl.DataFrame) -> None:
        """Write the block's rows of a file, behind those of the blocks before.

        ``<source>.<anything>`` is a second file of a source, with what became known later.
        """
        truth = name.removeprefix("truth/")
        columns = TRUTH[truth] if truth != name else SOURCES[name.partition(".")[0]]
        for kind, origin in identifiers(columns):
            most = frame[origin].max() if kind not in _SHARED else None
            if most is not None:
                self._seen[kind] = max(self._seen.get(kind, 0), int(most) + 1)  # type: ignore[arg-type,call-overload]
        self.paths[name] = self._folder / f"{name}.csv"
        is_first = name not in self.rows
        self.rows[name] = self.rows.get(name, 0) + append_file(
            self.paths[name], frame, columns, first=is_first, base=self._base
        )
        if self._progress is not None:
            self._progress(name, self.rows[name])

    def next_block(self) -> None:
        """Number the customers and everything of theirs on from here."""
        for kind, count in self._seen.items():
            self._base[kind] = self._base.get(kind, 0) + count
        self._seen.clear()
