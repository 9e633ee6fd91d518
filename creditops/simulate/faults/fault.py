"""What a fault is, and what must become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

Outcome = Literal["refused", "quarantined", "loaded", "unchanged", "orphan"]
"""What the contract demands.

- refused: the whole file, raw stays as it was, the reason is in the ledger.
- quarantined: the faulty rows with their reason, the others are loaded (while the share of faulty rows
  is under the bad-row limit).
- loaded: every row; the fault is one of form only.
- unchanged: the rows that repeat what is known.
- orphan: loaded, and listed as referring to nothing.
"""

Stage = Literal["cells", "lines", "file", "delivery"]
Injection = Callable[[Path, np.random.Generator], int]
"""Given the folder with the source files, spoils one of them; returns the rows affected."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes
    ----------
    source: the source whose file is spoilt.
    stage: what is spoilt; cells first, then lines, then the file, then what is delivered beside it.
    outcome, says: what must become of it, and words that its message or reason must hold.
    """

    name: str
    source: str
    stage: Stage
    outcome: Outcome
    says: str
    en: str
    zh: str
    inject: Injection
