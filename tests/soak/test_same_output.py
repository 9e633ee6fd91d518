"""Same input, same output: neither where rows lie, nor how many work at it, nor the locale changes anything.

Short form: ``tests/dbt/test_full_order.py`` reads every query for places where ties could decide.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from creditops.build import build
from creditops.decisions import decide
from creditops.publish.publisher import Candidate, assemble
from creditops.publish.tables import load_tables
from creditops.schema import initialise
from creditops.secrets import get_secret
from creditops.services import lifecycle
from creditops.settings import get_settings
from creditops.simulate import simulate
from creditops.sources.contract import load_contract, load_contracts
from creditops.warehouse import connect
from creditops.warnings import evaluate
from tests.dbt.raw_rows import put
from tests.dbt.warehouse_rows import rows
from tests.soak.conftest import Shown

AS_OF = date(2026, 6, 30)
BOOK = "demo"
LOCALE = "en_US.UTF-8"
# Every scan in parallel, however small the table is.
PARALLEL = {
    "max_parallel_workers_per_gather": "4", "min_parallel_table_scan_size": "0", "parallel_setup_cost": "0",
    "parallel_tuple_cost": "0", "min_parallel_index_scan_size": "0",
}  # fmt: skip


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A PostgreSQL that knows the locale ``LOCALE``, which the machine need not have installed."""
    localedef = shutil.which("localedef")
    if localedef is None or not Path("/usr/share/i18n/locales/en_US").exists():
        pytest.skip("the machine has no sources of locales (package locales, localedef)")
    folder = Path(tempfile.mkdtemp(prefix="locale-"))
    folder.chmod(0o755)  # the server may run under an id of its own
    subprocess.run([localedef, "-i", "en_US", "-f", "UTF-8", str(folder / LOCALE)], check=True)
    monkeypatch.setenv("LOCPATH", str(folder))
    monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CREDITOPS_DATABASE_URL", raising=False)
    get_settings.cache_clear()
    endpoints = lifecycle.up(only={"postgres"})
    assert endpoints.postgres is not None
    host, port = endpoints.postgres
    try:
        yield f"postgresql://creditops:{get_secret('postgres_owner')}@{host}:{port}"
    finally:
        get_settings.cache_clear()
        lifecycle.down()
        shutil.rmtree(folder)


@contextmanager
def warehouse_of(server: str, locale: str | None, parallel: bool) -> Iterator[None]:
    """A fresh warehouse whose texts sort as in ``locale``, or by their bytes."""
    name = f"warehouse_{uuid.uuid4().hex[:10]}"
    order = f"locale_provider libc locale '{locale}'" if locale else ""
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"create database {name} template template0 {order}")  # type: ignore[arg-type]
        if parallel:
            for setting, value in PARALLEL.items():
                connection.execute(f"alter database {name} set {setting} = {value}")  # type: ignore[arg-type]
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CREDITOPS_DATABASE_URL", f"{server}/{name}")
            patch.setenv("CREDITOPS_DBT_THREADS", "4" if parallel else "2")
            get_settings.cache_clear()
            initialise()
            yield
    finally:
        get_settings.cache_clear()
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")  # type: ignore[arg-type]


def deliver(folder: Path, order: Random | None) -> None:
    """Every source of a simulated book, its rows in the files' order or shuffled."""
    with connect("owner") as connection:
        for source in load_contracts():
            path = folder / f"{source}.csv"
            if not path.exists():
                continue
            kept = {name for name, _, _ in load_contract(source).raw_columns()}
            with path.open(encoding="utf-8", newline="") as file:
                found = [
                    {name: value or None for name, value in row.items() if name in kept}
                    for row in csv.DictReader(file)
                ]
            if order is not None:
                order.shuffle(found)
            put(connection, source, found)


def score(order: Random | None) -> None:
    """Two scores for most customers, many of them alike, so that ties have to be told apart."""
    ids = sorted(row["customer_id"] for row in rows("select customer_id from marts.dim_customer"))
    scores = [
        (BOOK, AS_OF, card, customer, 0.001 * 2 ** (number % 5), str(number % 5 + 1 if card == "a_b" else 7))
        for number, customer in enumerate(ids)
        for card in ("a_b", "aB", "a-c")
        if number % 7
    ]
    if order is not None:
        order.shuffle(scores)
    with connect("owner") as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into scoring.customer_scores (book, as_of_date, scorecard, customer_id, model_version,"
            " score, pd, grade, points_total, reason_1, reason_1_zh, reason_1_en, observed_on)"
            " values (%s, %s, %s, %s, '1', 600, %s, %s, 600, 'utilisation_now', '额度使用率', 'use',"
            " '2026-06-30')",
            scores,
        )


def published(
    folder: Path, *, order: Random | None = None, shares: int = 1
) -> tuple[Candidate, dict[str, Any]]:
    """A day's candidate of the book, and each of its tables' rows in the order of their bytes."""
    deliver(folder, order)
    build(BOOK, AS_OF, checks=False, shares=shares)
    score(order)
    evaluate(BOOK, AS_OF)
    decide(BOOK, AS_OF)
    candidate = assemble(BOOK, AS_OF, models=[{"scorecard": "a_b", "version": "1"}])
    tables = {
        table.name: {
            tuple(str(row["row"][name]) for name in table.key): row["row"]
            for row in rows(f"select to_jsonb(t) - 'publication_id' as row from published.{table.name} as t")
        }
        for table in load_tables().values()
    }
    return candidate, tables


def apart(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """Where two values differ, with what stands there."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            yield from apart(one.get(name), other.get(name), f"{place}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from apart(left, right, f"{place}[{number}]")
    elif one != other:
        yield f"{place}: {str(one)[:60]} / {str(other)[:60]}"


@pytest.mark.soak
def test_a_publication_is_the_same_in_another_order_parallelism_and_locale(
    server: str, tmp_path: Path, shown: Shown
) -> None:
    folder = tmp_path / "book"
    simulate(folder, customers=400, months=20, as_of=AS_OF)

    with warehouse_of(server, None, parallel=False):
        first, tables = published(folder)
    with warehouse_of(server, LOCALE, parallel=True):
        second, others = published(folder, order=Random(7), shares=3)

    differences = [
        each for name, found in tables.items() for each in islice(apart(found, others[name], name), 5)
    ]
    assert not differences, "\n".join(differences)
    assert first.publication_id == second.publication_id
    shown(
        "A publication's id is the same with rows in another order, more processes and another locale",
        sum(first.rows.values()),
    )
