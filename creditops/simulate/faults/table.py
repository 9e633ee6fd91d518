"""A source file as header and rows of text, for spoiling."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_FEW_OF = 500
_FEW_MOST = 3


@dataclass
class Table:
    """Header and rows of one CSV file; changed in place and written back."""

    path: Path
    header: list[str]
    rows: list[list[str]]

    @classmethod
    def read(cls, folder: Path, source: str) -> Table:
        """The file of ``source`` in ``folder``."""
        path = folder / f"{source}.csv"
        with path.open(encoding="utf-8", newline="") as text:
            header, *rows = csv.reader(text)
        return cls(path, header, rows)

    def write(self, path: Path | None = None, *, line_end: str = "\n") -> None:
        """Write to ``path``, by default where it was read from."""
        with (path or self.path).open("w", encoding="utf-8", newline="") as text:
            csv.writer(text, lineterminator=line_end).writerows([self.header, *self.rows])

    def place(self, column: str) -> int:
        """Position of a column."""
        return self.header.index(column)

    def some(self, rng: np.random.Generator, *filled: str, count: int | None = None) -> list[int]:
        """A few rows (one for every 500, at most 3) in which the columns ``filled`` are not empty."""
        columns = [self.place(name) for name in filled]
        fitting = [n for n, row in enumerate(self.rows) if all(row[at] for at in columns)]
        if count is None:
            count = min(_FEW_MOST, max(1, len(self.rows) // _FEW_OF))
        if len(fitting) < count:
            raise ValueError(f"{self.path.name} has no {count} rows with {', '.join(filled)}; simulate more")
        return sorted(rng.choice(fitting, count, replace=False).tolist())
