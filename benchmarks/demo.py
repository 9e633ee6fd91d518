"""The whole chain through Airflow, against the sum of its steps' own work.

``wall_to_work`` is the wall time from the trigger of the ingest DAGs to the end of the last run,
over the seconds that the steps spent in their own library calls (``ops.run_log``). What is above
1 is scheduling, process starts and imports; steps that run side by side pull it down.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from creditops.books import Partition
from creditops.settings import get_settings

CUSTOMERS = 2400
MONTHS = 36
ROUNDS = 3
DAY = date(2026, 6, 30)

# Steps as the chain logs them; what they log inside themselves (a dbt model, a file) is part of them.
STEPS = (
    *(f"ingest.{domain}" for domain in ("reference", "repayment", "financial", "bureau")),
    "gate.raw",
    *(f"build.{layer}" for layer in ("intermediate", "marts", "features")),
    *("train", "promote", "score", "warn", "decide", "publish.assemble", "gate.publication", "publish.flip"),
    *("report", "monitor"),
)


def run() -> dict[str, Any]:
    """Three rounds, each in a data home of its own, from empty tables."""
    rounds = [_round(seed) for seed in range(ROUNDS)]
    ratios = [each["wall"] / each["work"] for each in rounds]
    return {
        "wall_seconds": round(statistics.median(each["wall"] for each in rounds), 2),
        "work_seconds": round(statistics.median(each["work"] for each in rounds), 2),
        "wall_to_work": round(statistics.median(ratios), 3),
        "rounds": [round(ratio, 3) for ratio in ratios],
        "rows": rounds[0]["rows"],
        "steps": rounds[-1]["steps"],
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _round(seed: int) -> dict[str, Any]:
    from creditops.ingest.land.landing import land
    from creditops.runner import run_in_airflow
    from creditops.schema import initialise
    from creditops.services import lifecycle
    from creditops.simulate import simulate
    from creditops.warehouse.connection import connect

    home = Path(tempfile.mkdtemp(prefix="creditops-bench-"))
    os.environ["CREDITOPS_HOME"] = str(home)
    get_settings.cache_clear()
    try:
        lifecycle.up(prepare_warehouse=initialise)
        simulate(home / "simulated", book="demo", customers=CUSTOMERS, months=MONTHS, seed=seed, as_of=DAY)
        land("demo", [home / "simulated"], DAY)
        started = time.perf_counter()
        for _ in run_in_airflow("all", Partition("demo", DAY)):
            pass
        wall = time.perf_counter() - started
        with connect("publisher") as connection:
            steps = dict(
                connection.execute(
                    "select step, sum(seconds)::float from ops.run_log where step = any(%s) group by step",
                    (list(STEPS),),
                ).fetchall()
            )
            (rows,) = connection.execute(
                "select sum(rows_loaded)::bigint from ops.load_ledger"
            ).fetchone() or (0,)
    finally:
        lifecycle.down()
        shutil.rmtree(home, ignore_errors=True)
    return {"wall": wall, "work": sum(steps.values()), "rows": rows, "steps": steps}
