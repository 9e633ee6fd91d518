"""Injects faults into a folder of source files and writes down what was done."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from creditops.errors import UsageError
from creditops.simulate.faults.catalogue import find_faults
from creditops.simulate.faults.fault import Fault, Stage
from creditops.simulate.world.randomness import stream

TRUTH_FILE = "injected_faults.csv"


@dataclass(frozen=True)
class Injected:
    """A fault that was injected, and the rows it affects."""

    fault: Fault
    rows: int


def inject_faults(folder: Path, names: Iterable[str], *, seed: int) -> list[Injected]:
    """Spoil the source files in ``folder`` and list it in ``truth/injected_faults.csv``.

    Cells are spoilt before lines, lines before whole files; the same seed spoils the same rows.

    Raises
    ------
    UsageError: an unknown fault, two faults that cannot be told apart in one file, or a file that is
        too small for the fault.
    """
    chosen = find_faults(names)
    _check_together(chosen)
    order = get_args(Stage)
    injected: list[Injected] = []
    for fault in sorted(chosen, key=lambda each: order.index(each.stage)):
        try:
            rows = fault.inject(folder, stream(seed, f"fault {fault.name}"))
        except (ValueError, FileNotFoundError) as error:
            raise UsageError(f"fault {fault.name}: {error}", hint="simulate more customers") from error
        injected.append(Injected(fault, rows))
    _write_truth(folder / "truth" / TRUTH_FILE, injected)
    return injected


def clear_faults(folder: Path) -> None:
    """Remove the files that an earlier injection into ``folder`` left beside or instead of its own."""
    truth = folder / "truth" / TRUTH_FILE
    if not truth.exists():
        return
    with truth.open(encoding="utf-8", newline="") as text:
        sources = {line["source"] for line in csv.DictReader(text)}
    for source in sources:
        for path in folder.glob(f"{source}.*"):
            path.unlink()
    truth.unlink()


def _check_together(faults: list[Fault]) -> None:
    whole = Counter(fault.source for fault in faults if fault.stage == "file" or fault.outcome == "refused")
    for source, count in whole.items():
        if count > 1:
            names = [
                f.name for f in faults if f.source == source and (f.stage == "file" or f.outcome == "refused")
            ]
            raise UsageError(
                f"{' and '.join(names)} both spoil the whole file of {source}", hint="inject one of them"
            )


def _write_truth(path: Path, injected: list[Injected]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["fault", "source", "rows", "outcome", "says"])
        for each in injected:
            writer.writerow(
                [each.fault.name, each.fault.source, each.rows, each.fault.outcome, each.fault.says]
            )
