"""Kills of a running platform, and what must be the same in the end as if nothing had happened."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import psutil
import psycopg
from psycopg import sql

from creditops.errors import CreditOpsError
from creditops.secrets import get_secret
from creditops.services import databases, lifecycle, postgres, processes, supervision
from creditops.settings import get_settings
from creditops.warehouse.connection import connect

_TASK = re.compile(r"airflow worker -- [0-9a-f-]{36}")
_PUBLISHED = "select table_name from information_schema.tables where table_schema = 'published' order by 1"


def _of_program(name: str) -> list[psutil.Process]:
    """The program and its descendants, the program itself first; its keeper excepted."""
    keeper = supervision.states().get(name)
    if keeper is None or not keeper.pid:
        return []
    return psutil.Process(keeper.pid).children(recursive=True)


def _titled(pattern: re.Pattern[str]) -> list[psutil.Process]:
    found = []
    for process in processes.of_home(get_settings().home):
        try:
            if pattern.match(" ".join(process.cmdline())):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _backends() -> list[psutil.Process]:
    with connect("owner") as connection:
        pids = connection.execute(
            "select pid from pg_stat_activity where backend_type = 'client backend'"
            " and pid <> pg_backend_pid()"
        ).fetchall()
    return [psutil.Process(pid) for (pid,) in pids if psutil.pid_exists(pid)]


def _terminated_backends() -> list[psutil.Process]:
    """Sessions of the warehouse, which are ended as an administrator would; nothing is left to kill."""
    with connect("owner") as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
    return []


#: What may be killed: a name, and the processes of which one is.
TARGETS: dict[str, Callable[[], list[psutil.Process]]] = {
    "task": lambda: _titled(_TASK),
    "worker": lambda: _titled(re.compile(r"airflow worker -- LocalExecutor")),
    "scheduler": lambda: _of_program("airflow-scheduler")[:1],
    "api-server": lambda: _of_program("airflow-api-server")[:1],
    "dag-processor": lambda: _of_program("airflow-dag-processor")[:1],
    "triggerer": lambda: _of_program("airflow-triggerer")[:1],
    "mlflow": lambda: _of_program("mlflow")[:1],
    "mlflow child": lambda: _of_program("mlflow")[1:],
    "keeper": lambda: [psutil.Process(s.pid) for s in supervision.states().values() if s.pid],
    "backend": _backends,
    "every backend": _terminated_backends,
    "postmaster": lambda: [server] if (server := postgres.running_server()) else [],
    "supervisor": lambda: [psutil.Process(supervision.pid())],
    "guard": lambda: [psutil.Process(pid)] if (pid := supervision.states()["guard"].pid) else [],
}  # fmt: skip


def kill(target: str, random: Random) -> str | None:
    """Kill one process of the kind at once; says which, or ``None`` where there was none."""
    try:
        found = TARGETS[target]()
        if target == "every backend":
            return "every session ended"
        if not found:
            return None
        victim = random.choice(found)
        words = " ".join(victim.cmdline())[:60]
        os.kill(victim.pid, signal.SIGKILL)
    except (psutil.Error, psycopg.Error, CreditOpsError, ProcessLookupError, KeyError):
        return None
    return words


def airflow_rows(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of Airflow's own database; none while PostgreSQL does not answer."""
    try:
        with databases.connect("airflow", get_secret("postgres_airflow"), "airflow") as connection:
            return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]
    except psycopg.Error:
        return []


def running_tasks(keys: list[str]) -> set[str]:
    """Tasks at work for some partitions, by their names without that of their group."""
    rows = airflow_rows(
        "select distinct t.task_id from task_instance t join dag_run r using (dag_id, run_id)"
        " where t.state = 'running' and r.partition_key = any(%s)",
        keys,
    )
    return {str(row[0]).rpartition(".")[2] for row in rows}


def runs(keys: list[str]) -> dict[tuple[str, str], str]:
    """State of the newest run of each DAG for each partition."""
    rows = airflow_rows(
        "select distinct on (partition_key, dag_id) partition_key, dag_id, state from dag_run"
        " where partition_key = any(%s) order by partition_key, dag_id, run_after desc",
        keys,
    )
    return {(key, dag): state for key, dag, state in rows}


def moved_since(keys: list[str], moment: float) -> bool:
    """Whether a task has begun or ended well since."""
    rows = airflow_rows(
        "select 1 from task_instance t join dag_run r using (dag_id, run_id) where r.partition_key = any(%s)"
        " and (t.start_date > to_timestamp(%s) and t.state in ('running', 'success', 'up_for_reschedule')"
        " or t.end_date > to_timestamp(%s) and t.state in ('success', 'skipped')) limit 1",
        keys,
        moment,
        moment,
    )
    return bool(rows)


def is_healthy() -> bool:
    """Whether every service answers."""
    try:
        return lifecycle.status().healthy
    except (psutil.Error, CreditOpsError):
        return False


def recovery(keys: list[str], killed_at: float, patience: float, over: Callable[[], bool]) -> float:
    """Seconds from a kill until every service is healthy and the chains have moved on, or are over."""
    while True:
        if (moved_since(keys, killed_at) or over()) and is_healthy():
            return time.time() - killed_at
        assert time.time() - killed_at < patience, f"not recovered within {patience:.0f} s"
        time.sleep(0.5)


@dataclass(frozen=True)
class EndState:
    """What a book's run leaves: rows and checksums by table, without the book's own name."""

    published: dict[str, tuple[int, dict[str, str]]]
    loads: list[tuple[Any, ...]]
    raw: dict[str, int]
    publications: list[str]
    models: list[tuple[Any, ...]]


def end_state(book: str) -> EndState:
    """The state of a book, by columns, so that what names the book can be told from what must be equal."""
    with connect("owner") as connection:
        tables = [row[0] for row in connection.execute(_PUBLISHED).fetchall()]
        published = {table: _columns(connection, table, book) for table in tables}
        loads = connection.execute(
            "select source, status, rows_read, rows_loaded, rows_unchanged, rows_quarantined"
            " from ops.load_ledger where book = %s and status <> 'repeat' order by 1, 2, 3",
            (book,),
        ).fetchall()
        sources = sorted({row[0] for row in loads})
        raw = {
            source: _one(connection, f"select count(*) from raw.{source} where book = %s", book)
            for source in sources
        }
        publications = connection.execute(
            "select status from ops.publication_history where book = %s order by 1", (book,)
        ).fetchall()
        models = connection.execute(
            "select version, action from ops.model_decision join ops.model_version using (name, version)"
            " where name like %s order by 1, 2",
            (f"{book}.%",),
        ).fetchall()
        unreconciled = _one(connection, "select count(*) from ops.load_unreconciled where book = %s", book)
    assert unreconciled == 0
    return EndState(published, loads, raw, [row[0] for row in publications], models)


def _columns(connection: psycopg.Connection, table: str, book: str) -> tuple[int, dict[str, str]]:
    names = [
        row[0]
        for row in connection.execute(
            "select column_name from information_schema.columns"
            " where table_schema = 'published' and table_name = %s",
            (table,),
        ).fetchall()
    ]
    hashed = sql.SQL("sum(hashtextextended(coalesce({}::text, '-'), 0)::numeric)::text")
    sums = sql.SQL(", ").join(hashed.format(sql.Identifier(each)) for each in names)
    row = connection.execute(
        sql.SQL(
            "select count(*), {} from {} where publication_id ="
            " (select publication_id from ops.publication where book = %s)"
        ).format(sums, sql.Identifier("published", table)),
        (book,),
    ).fetchone()
    assert row is not None
    return row[0], dict(zip(names, row[1:], strict=True))


def _one(connection: psycopg.Connection, statement: str, book: str) -> int:
    row = connection.execute(statement, (book,)).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return int(row[0])


def differences(one: EndState, other: EndState, equal: dict[str, set[str]]) -> Iterator[str]:
    """Where two end states differ in the columns that are ``equal`` for undisturbed books."""
    for table, (rows, sums) in one.published.items():
        others, other_sums = other.published[table]
        if rows != others:
            yield f"{table}: {rows} and {others} rows"
        for column in sorted(equal.get(table, set())):
            if sums[column] != other_sums[column]:
                yield f"{table}.{column} differs"
    for name in ("loads", "raw", "publications", "models"):
        if getattr(one, name) != getattr(other, name):
            yield f"{name}: {getattr(one, name)} and {getattr(other, name)}"


def equal_columns(one: EndState, other: EndState) -> dict[str, set[str]]:
    """Columns with the same content in two books that had the same files."""
    return {
        table: {name for name, value in sums.items() if value == other.published[table][1][name]}
        for table, (_, sums) in one.published.items()
    }
