"""``make -s bench BENCH=name``: run one benchmark, or all, and print one JSON object each."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main(names: list[str]) -> None:
    """Run the named benchmarks (modules of this package with a function ``run``)."""
    known = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no benchmark {unknown[0]!r}; there are {', '.join(known)}")
    for name in names or known:
        result = importlib.import_module(f"benchmarks.{name}").run()
        print(json.dumps({"benchmark": name, **result}, default=str), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
