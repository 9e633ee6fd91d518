"""``python -m benchmarks.comparison``: hold-out AUC of every method on the same stratified 70/30 splits.

Prints a Markdown table, or JSON with ``--json``. Settings are the same for every set.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks._scorecardpy import Unavailable
from benchmarks.comparison.methods import METHODS
from benchmarks.comparison.scorecardpy_scores import scorecardpy
from benchmarks.comparison.sets import NAMES, DataSet, from_file, load
from creditops.errors import CreditOpsError
from models_ml.measure.discrimination import auc

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
_OURS = ("boosted scorecard", "classic scorecard")


def main() -> None:
    """Read the arguments, compare, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real data")
    parser.add_argument("--sets", nargs="*", choices=list(NAMES), help="default: all; beside --csv none")
    parser.add_argument(
        "--csv", type=Path, action="append", default=[],
        help="a further set, delimited text or ARFF, packed or not; repeatable",
    )  # fmt: skip
    parser.add_argument("--target", help="its outcome column: a name, a position, or last")
    parser.add_argument("--bad", help="the value of the outcome that is bad, where its coding does not say")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--methods", nargs="*", default=[*METHODS, "scorecardpy"])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    methods = METHODS | {"scorecardpy": scorecardpy}
    unknown = [name for name in given.methods if name not in methods]
    if unknown:
        parser.error(f"no method {unknown[0]!r}; there are {', '.join(methods)}")
    names = given.sets if given.sets is not None else [] if given.csv else list(NAMES)
    try:
        sets = [load(name, given.data) for name in names]
        sets += [from_file(path, given.target, given.bad) for path in given.csv]
    except CreditOpsError as error:
        parser.error(str(error))
    rows = [
        row
        for each in sets
        for name in given.methods
        for row in compare(each, name, methods[name], given.seeds)
    ]
    print(json.dumps(rows, indent=1) if given.json else as_markdown(rows))


def compare(each: DataSet, name: str, method: Any, seeds: list[int]) -> list[dict[str, Any]]:
    """Mean hold-out AUC over the seeds, on the raw columns and, for ours, with the derived ones.

    ``low`` and ``high``: mean -+ 1.96 times the root of the mean DeLong variance, the interval that
    one hold-out sample of this size gives.
    """
    rows = []
    for columns, frame in (("raw", each.raw), ("raw and derived", each.derived)):
        if columns != "raw" and (name not in _OURS or each.derived is each.raw):
            continue
        areas, started = [], time.perf_counter()
        row: dict[str, Any] = {"set": each.name, "method": name, "columns": columns}
        try:
            for seed in seeds:
                inside, outside = train_test_split(
                    np.arange(len(frame)), test_size=0.3, stratify=each.bad, random_state=seed
                )
                risk = method(
                    frame.iloc[inside].reset_index(drop=True), each.bad[inside],
                    frame.iloc[outside].reset_index(drop=True),
                )  # fmt: skip
                areas.append(auc(risk, each.bad[outside]))
        except (Unavailable, CreditOpsError) as reason:
            rows.append(row | {"skipped": str(reason)})
            continue
        except Exception as failure:
            if name in _OURS:
                raise
            # Another library may not take such a set; that is a finding, not the end of the comparison.
            text = (str(failure).strip().splitlines() or [""])[0]
            rows.append(row | {"skipped": f"{type(failure).__name__}: {text}"})
            continue
        mean = float(np.mean([area.value for area in areas]))
        margin = 1.96 * float(np.mean([area.variance for area in areas])) ** 0.5
        row |= {"auc": mean, "low": max(mean - margin, 0.0), "high": min(mean + margin, 1.0)}
        row |= {"by_seed": [round(area.value, 4) for area in areas]}
        row |= {"seconds_a_fit": (time.perf_counter() - started) / len(seeds)}
        print(f"{each.name}, {name}, {columns}: {mean:.4f}", file=sys.stderr)
        rows.append(row)
    return rows


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    lines = ["| set | method | columns | AUC | 95 % interval | by seed |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = (
            f"skipped: {row['skipped']} | | "
            if "skipped" in row
            else f"{row['auc']:.4f} | {row['low']:.3f} to {row['high']:.3f}"
            f" | {', '.join(f'{value:.4f}' for value in row['by_seed'])}"
        )
        lines.append(f"| {row['set']} | {row['method']} | {row['columns']} | {figures} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
