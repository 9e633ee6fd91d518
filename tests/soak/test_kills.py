"""A platform of which processes are killed again and again ends as one that nobody touched.

Books with the same files go through the whole chain, training included: two undisturbed, then several side
by side while 23 processes are killed at named steps and 40 at random moments. ``CREDITOPS_SOAK_KILLS`` takes
fewer of each, ``5,10``.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

import psycopg
import pytest
import yaml

from creditops.books import Partition
from creditops.errors import CreditOpsError
from creditops.ingest.land.landing import land
from creditops.runner import DAG_STEPS, start_chain
from creditops.schema import initialise
from creditops.services import lifecycle, processes
from creditops.services.airflow_api import AirflowApi
from creditops.settings import PROJECT_ROOT
from creditops.simulate import simulate
from creditops.warehouse.connection import connect
from tests.services.conftest import living_in
from tests.soak import kills
from tests.soak.conftest import Shown

pytestmark = pytest.mark.soak

DAY = date(2026, 6, 30)
AT_STEPS = [
    ("load_files", "task"), ("load_files", "scheduler"), ("load_files", "postmaster"),
    ("account_files", "task"), ("gate_raw", "task"), ("gate_raw", "api-server"),
    ("build_intermediate", "task"), ("build_intermediate", "backend"), ("build_marts", "scheduler"),
    ("build_marts", "every backend"), ("build_features", "task"), ("build_features", "postmaster"),
    ("train", "task"), ("train", "mlflow"), ("train", "scheduler"), ("train", "supervisor"),
    ("promote", "mlflow child"), ("score", "task"), ("warn", "backend"), ("decide", "task"),
    ("publish", "task"), ("publish", "postmaster"), ("monitor", "worker"),
]  # fmt: skip
RANDOM_KILLS = 40
BESIDE, KILLS_PER_ROUND, PATIENCE, STEP_PATIENCE = 3, 11, 300.0, 60.0
LONGEST_RECOVERY = 120.0
READ = (
    "select p.book, (select count(*) from publish.customer_scores s where s.book = p.book),"
    " (select count(*) from publish.portfolio_monthly m where m.book = p.book),"
    " (select count(*) from publish.data_quality q where q.book = p.book) from publish.publication p"
)


class Reader(threading.Thread):
    """Reads all books again and again; keeps every answer that it got."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.answers: set[tuple[object, ...]] = set()
        self.reads = 0

    def run(self) -> None:
        while not self.ended.wait(0.3):
            try:
                with connect("bi_reader") as connection:
                    self.answers.update(connection.execute(READ).fetchall())
                    self.reads += 1
            except (psycopg.Error, CreditOpsError):
                continue


@pytest.fixture(scope="module")
def books() -> list[str]:
    at_steps, at_random = _numbers()
    rounds = -(-(at_steps + at_random) // KILLS_PER_ROUND)
    return ["calm_a", "calm_b", *(f"book_{number:02}" for number in range(rounds * BESIDE))]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, books: list[str]) -> Iterator[Path]:
    """A platform with the files of all books, and a scorecard for each."""
    with living_in(tmp_path_factory.mktemp("kills") / "home") as place:
        source = place.parent / "files"
        simulate(source, customers=800, months=36, seed=5, as_of=DAY)
        shutil.rmtree(source / "truth", ignore_errors=True)
        lifecycle.up(prepare_warehouse=initialise)
        _write_scorecard(place / "scorecards", books)
        for book in books:
            land(book, [source], DAY)
        yield place


def test_killed_processes_leave_the_end_state_as_it_would_have_been(
    home: Path, books: list[str], shown: Shown
) -> None:
    at_steps, at_random = _numbers()
    random = Random(15)
    calm, rest = books[:2], books[2:]
    _start(calm)
    _await_end(calm)
    first, second = (kills.end_state(book) for book in calm)
    equal = kills.equal_columns(first, second)
    assert list(kills.differences(first, second, equal)) == []
    assert first.publications == ["published"]
    assert first.models
    columns = sum(len(sums) for _, sums in first.published.values())
    assert sum(map(len, equal.values())) > 0.85 * columns, (
        "most columns are the same whatever the book's name"
    )

    reader = Reader()
    reader.start()
    plan = deque([*AT_STEPS[:at_steps], *(("", _any(random)) for _ in range(at_random))])
    recoveries: list[tuple[float, str, str]] = []
    wrong: dict[str, list[str]] = {}
    for number in range(0, len(rest), BESIDE):
        beside = rest[number : number + BESIDE]
        _start(beside)
        count = min(KILLS_PER_ROUND, len(plan))
        _disturb(beside, [plan.popleft() for _ in range(count)], random, recoveries)
        _await_end(beside)
        for book in beside:
            wrong[book] = list(kills.differences(first, kills.end_state(book), equal))
            print(book, wrong[book] or "as undisturbed", flush=True)
    reader.ended.set()
    reader.join()
    whole = {answer[1:] for answer in reader.answers}
    assert len(whole) == 1, f"half a publication was read: {reader.answers}"
    lifecycle.down()
    assert processes.of_home(home) == []
    longest = max(recoveries)
    print(*sorted(recoveries, reverse=True), sep="\n")
    assert {book: found for book, found in wrong.items() if found} == {}
    assert longest[0] < LONGEST_RECOVERY, longest
    assert len(recoveries) == at_steps + at_random
    named = sum(bool(step) for _, step, _ in recoveries)
    shown("Kills at named steps of the chain, training included, after which books end as undisturbed", named)
    shown("The same at random moments; nobody read half a publication, `down` left nothing", at_random)
    shown("Seconds of the longest recovery from a kill, without a person", round(longest[0]))


def _numbers() -> tuple[int, int]:
    asked = os.environ.get("CREDITOPS_SOAK_KILLS", f"{len(AT_STEPS)},{RANDOM_KILLS}")
    at_steps, at_random = asked.split(",")
    return int(at_steps), int(at_random)


def _any(random: Random) -> str:
    """Any of the targets, tasks most often."""
    return random.choice([*kills.TARGETS, "task", "task", "task", "backend", "scheduler"])


def _write_scorecard(folder: Path, books: list[str]) -> None:
    shipped = PROJECT_ROOT / "models_ml" / "scorecards" / "retail_behaviour.yml"
    declared = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    declared |= {"name": "kills_behaviour", "books": books}
    declared["population"] |= {"min_bads": 10}
    declared["gates"] = {"min_auc_hold_out": 0.5, "max_gini_drop": 1.0, "max_psi": 10.0}
    folder.mkdir(exist_ok=True)
    text = yaml.safe_dump(declared, allow_unicode=True)
    (folder / "kills_behaviour.yml").write_text(text, encoding="utf-8")


def _keys(books: list[str]) -> list[str]:
    return [Partition(book, DAY).key for book in books]


def _start(books: list[str]) -> None:
    with AirflowApi() as api:
        api.await_parsed(DAG_STEPS)
        for book in books:
            start_chain(api, Partition(book, DAY))


def _over(books: list[str]) -> bool:
    """Whether the last DAG of each book's chain has ended."""
    states = kills.runs(_keys(books))
    failed = {key for (key, _), state in states.items() if state == "failed"}
    return all(key in failed or states.get((key, "monitor")) == "success" for key in _keys(books))


def _await_end(books: list[str]) -> None:
    began = time.monotonic()
    while not _over(books):
        assert time.monotonic() - began < 900, kills.runs(_keys(books))
        time.sleep(1)


def _disturb(
    books: list[str], planned: list[tuple[str, str]], random: Random, recoveries: list[tuple[float, str, str]]
) -> None:
    """Kill one after the other, each when the platform has recovered from the one before."""
    keys = _keys(books)
    for step, target in planned:
        if step:
            waited = time.monotonic()
            while step not in kills.running_tasks(keys) and not _over(books):
                if time.monotonic() - waited > STEP_PATIENCE:
                    break
                time.sleep(0.1)
            step = step if step in kills.running_tasks(keys) else ""
        else:
            time.sleep(random.uniform(0, 5))
        killed_at = time.time()
        while (what := kills.kill(target, random)) is None:
            target = "task" if random.random() < 0.5 else "scheduler"  # none of the kind is at work now
            killed_at = time.time()
            time.sleep(0.2)
        seconds = kills.recovery(keys, killed_at, PATIENCE, lambda: _over(books))
        recoveries.append((seconds, step, target))
        print(
            f"{time.strftime('%H:%M:%S')} {step or 'random'}: {target} ({what}) {seconds:.1f} s", flush=True
        )
