"""Users' files that are left out because of a fault: contracts, adapters, places, scorecards.

One broken file stops only what uses it. That there is one is said by ``creditops up``, ``doctor`` and at the
end of every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from creditops.errors import UsageError
from creditops.settings import get_settings

_WITHOUT = {
    "contract": "Nothing is loaded by it.",
    "adapter": "Nothing is brought in by it.",
    "place": "Nothing is fetched from it.",
    "scorecard": "Nothing is trained or scored by it.",
}


@dataclass(frozen=True)
class BrokenFile:
    """A file that is left out, and what is wrong with it."""

    kind: Literal["contract", "adapter", "place", "scorecard"]
    path: Path
    error: UsageError

    def sentence(self) -> str:
        """The fault with its place and remedy, and what goes without."""
        return f"{self.error} {_WITHOUT[self.kind]}"


def broken_files() -> list[BrokenFile]:
    """Every broken file, by kind and path."""
    from creditops.places.place import broken_places
    from creditops.sources.contract import broken_contracts
    from models_ml.spec import broken_scorecards

    return [
        *(BrokenFile("contract", each.path, each.error) for each in broken_contracts()),
        *(BrokenFile("adapter", path, error) for path, error in _adapters()),
        *(BrokenFile("place", each.path, each.error) for each in broken_places()),
        *(BrokenFile("scorecard", each.path, each.error) for each in broken_scorecards()),
    ]


def _adapters() -> list[tuple[Path, UsageError]]:
    if not any((get_settings().home / "adapters").glob("*/adapter.yml")):
        return []
    from creditops.adapters import broken_adapters  # whose imports are heavy

    return broken_adapters()
