"""What readers notice of a publication: their 99th percentile while it happens, against a quiet time.

Readers ask `publish.customer_scores` for a customer and for a grade's count, over and over, as bi_reader.
First nobody publishes; then, side by side with a publisher that assembles the same day again and again
(with changed scores, so each is a new publication) and flips the pointer. ``reader_p99_ratio`` is the
second 99th percentile over the first. Every answer is checked: one publication id, and all of its rows.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import statistics
import tempfile
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

from creditops.settings import get_settings

CUSTOMERS = 100_000
READERS = 2
SECONDS = 8.0
ROUNDS = 3
BOOK = "bench"
DAY = date(2026, 6, 30)


def run() -> dict[str, Any]:
    """Three rounds of quiet and busy reading on an embedded server of its own."""
    from creditops.schema import initialise
    from creditops.services import lifecycle

    home = Path(tempfile.mkdtemp(prefix="creditops-bench-"))
    os.environ["CREDITOPS_HOME"] = str(home)
    get_settings.cache_clear()
    try:
        lifecycle.up(only={"postgres"}, prepare_warehouse=initialise)
        _prepare()
        _publish()
        rounds = [{"quiet": _read(busy=False), "busy": _read(busy=True)} for _ in range(ROUNDS)]
    finally:
        lifecycle.down()
        shutil.rmtree(home, ignore_errors=True)
    ratios = [each["busy"]["p99"] / each["quiet"]["p99"] for each in rounds]
    return {
        "reader_p99_ratio": round(statistics.median(ratios), 3),
        "rounds": [round(ratio, 3) for ratio in ratios],
        "quiet_p99_ms": round(statistics.median(each["quiet"]["p99"] for each in rounds) * 1000, 2),
        "busy_p99_ms": round(statistics.median(each["busy"]["p99"] for each in rounds) * 1000, 2),
        "publications_while_read": sum(each["busy"]["publications"] for each in rounds),
        "torn_answers": sum(each[kind]["torn"] for each in rounds for kind in each),
        "rows": CUSTOMERS,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _prepare() -> None:
    from creditops.build import build
    from creditops.warehouse.connection import connect

    build(BOOK, DAY)
    with connect("owner") as connection:
        connection.execute(
            "insert into scoring.customer_scores (book, as_of_date, scorecard, customer_id, model_version,"
            " score, pd, grade, points_total, observed_on)"
            " select %s, %s, 'bench', 'C' || n, '1', 500 + n %% 200, 0.01, (1 + n %% 10)::text, 600, %s"
            " from generate_series(1, %s) as n",
            (BOOK, DAY, DAY, CUSTOMERS),
        )


def _publish() -> str:
    """A new publication of the day: every score moves by one."""
    from creditops import decisions
    from creditops.publish import publisher
    from creditops.warehouse.connection import connect

    with connect("modeller") as connection:
        connection.execute("update scoring.customer_scores set score = score + 1 where book = %s", (BOOK,))
    decisions.decide(BOOK, DAY)
    candidate = publisher.assemble(BOOK, DAY, models=[{"scorecard": "bench", "version": "1"}])
    publisher.record_gate(candidate.publication_id, [], passed=True)
    publisher.flip(candidate.publication_id)
    return candidate.publication_id


def _read(*, busy: bool) -> dict[str, Any]:
    stop = threading.Event()
    seconds: list[float] = []
    torn: list[str] = []
    readers = [threading.Thread(target=_reader, args=(stop, seconds, torn, seed)) for seed in range(READERS)]
    for reader in readers:
        reader.start()
    until = time.monotonic() + SECONDS
    publications = 0
    while time.monotonic() < until:
        if busy:
            _publish()
            publications += 1
        else:
            time.sleep(0.1)
    stop.set()
    for reader in readers:
        reader.join()
    return {
        "p99": statistics.quantiles(seconds, n=100)[98],
        "torn": len(torn),
        "publications": publications,
    }


def _reader(stop: threading.Event, seconds: list[float], torn: list[str], seed: int) -> None:
    from creditops.warehouse.connection import connect

    chance = random.Random(seed)
    with connect("bi_reader") as connection:
        connection.autocommit = True
        while not stop.is_set():
            customer = f"C{chance.randint(1, CUSTOMERS)}"
            started = time.perf_counter()
            connection.execute(
                "select score, grade from publish.customer_scores where book = %s and customer_id = %s",
                (BOOK, customer),
            ).fetchall()
            row = connection.execute(
                "select count(*), count(distinct publication_id) from publish.customer_scores"
                " where book = %s",
                (BOOK,),
            ).fetchone()
            seconds.append(time.perf_counter() - started)
            if row != (CUSTOMERS, 1):
                torn.append(str(row))
