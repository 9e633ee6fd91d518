"""The catalogue of faults, as ``catalogue.yml`` declares it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

import yaml

from creditops.errors import UsageError
from creditops.simulate.faults.fault import Fault
from creditops.simulate.faults.injections import INJECTIONS


def _load() -> MappingProxyType[str, Fault]:
    entries = yaml.safe_load(Path(__file__).with_name("catalogue.yml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {entry["name"]: Fault(**entry, inject=INJECTIONS[entry["name"]]) for entry in entries}
    )


FAULTS = _load()
"""Every fault by its name."""


def find_faults(names: Iterable[str]) -> list[Fault]:
    """The faults of these names, each once.

    Raises
    ------
    UsageError: a name is unknown.
    """
    found = []
    for name in dict.fromkeys(names):
        if name not in FAULTS:
            raise UsageError(f"there is no fault {name!r}", hint="see `creditops simulate --list-faults`")
        found.append(FAULTS[name])
    return found
