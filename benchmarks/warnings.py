"""200,000 customers x 30 rules, against one sequential scan of the tables that the rules read.

``ratio_to_scan``: seconds of the whole evaluation of a day (hits with severity, evidence and texts,
the warnings' life cycle, its events and the day's snapshot) over the baseline: of every table that
the rules' subjects read, one sequential scan of the book's partition that takes every column which
the subjects' queries name out of each row and keeps its largest value. Both run in one session at a
time, with the same settings and on the same warm tables of 13 month ends, the longest look back of a
rule. ``ratio_double_rules``: the same evaluation with 60 rules over that with 30; each of the 30
more is a rule with another threshold, which hits about as many customers as the first.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from creditops.settings import get_settings

CUSTOMERS = 200_000
RULES = 30
MONTHS = 13
ROUNDS = 3
BOOK = "bench"
DAY = date(2026, 6, 30)
DATA = Path(__file__).with_name("warnings_data.sql")


def run() -> dict[str, Any]:
    """Three rounds of scan, 30 rules and 60 rules, side by side, on an embedded server of its own."""
    from creditops.schema import initialise
    from creditops.services import lifecycle

    home = Path(tempfile.mkdtemp(prefix="creditops-bench-"))
    os.environ["CREDITOPS_HOME"] = str(home)
    get_settings.cache_clear()
    try:
        lifecycle.up(only={"postgres"}, prepare_warehouse=initialise)
        _prepare()
        return _measure()
    finally:
        lifecycle.down()
        shutil.rmtree(home, ignore_errors=True)


def _prepare() -> None:
    """The warehouse's own tables, by dbt on an empty book, filled with a made-up population."""
    from creditops.build import build
    from creditops.warehouse.connection import connect

    build(BOOK, DAY)
    with connect("owner", autocommit=True) as connection:
        values = {"book": BOOK, "day": DAY, "customers": CUSTOMERS, "months": MONTHS}
        cursor = psycopg.ClientCursor(connection)
        for statement in DATA.read_text(encoding="utf-8").split(";\n"):
            if statement.strip():
                cursor.execute(statement, values)  # type: ignore[arg-type]
        connection.execute("vacuum analyze")


def _measure() -> dict[str, Any]:
    from creditops.warnings.rule import load_rules
    from creditops.warnings.subject import load_subjects

    filled = _filled(load_subjects())
    rules = [rule for rule in load_rules() if rule.subject in filled]
    assert len(rules) >= RULES or len(rules) > RULES // 2
    base = [*rules, *(_variant(rule, 1) for rule in rules)][:RULES]
    double = [*base, *(_variant(rule, 2) for rule in base)]
    seconds: dict[str, list[float]] = {"scan": [], "rules_30": [], "rules_60": []}
    hits: dict[str, int] = {}
    scanned = 0
    for _ in range(ROUNDS):
        scan_seconds, scanned = _scan({rule.subject for rule in base})
        seconds["scan"].append(scan_seconds)
        for name, some in (("rules_30", base), ("rules_60", double)):
            taken, hits[name] = _evaluate(some)
            seconds[name].append(taken)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "customers": CUSTOMERS,
        "rules": len(base),
        "rows_scanned": scanned,
        "hits": hits,
        "seconds": {name: round(value, 2) for name, value in median.items()},
        "ratio_to_scan": round(_median_ratio(seconds["rules_30"], seconds["scan"]), 2),
        "ratio_double_rules": round(_median_ratio(seconds["rules_60"], seconds["rules_30"]), 2),
        "rounds": {name: [round(value, 2) for value in values] for name, values in seconds.items()},
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _median_ratio(above: list[float], below: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def _filled(subjects: Any) -> set[str]:
    """Subjects whose tables the benchmark filled."""
    from creditops.warehouse.connection import connect

    with connect("owner") as connection:
        return {
            name
            for name, subject in subjects.items()
            if all(_has_rows(connection, _table(each)) for each in subject.reads)
        }


def _has_rows(connection: psycopg.Connection, table: str) -> bool:
    known = connection.execute("select to_regclass(%s) is not null", (table,)).fetchone()
    if not known or not known[0]:
        return False
    row = connection.execute(f"select exists (select from {table})").fetchone()  # type: ignore[arg-type]
    return bool(row and row[0])


def _variant(rule: Any, number: int) -> Any:
    """The rule under another name and with its first threshold moved by a twentieth of a percent."""
    parameters = dict(rule.parameters)
    for name, value in list(parameters.items())[:1]:
        parameters[name] = value * (1 + 0.0005 * number) if isinstance(value, float) else value
    return rule.model_copy(update={"id": f"{rule.id}_variant_{number}", "parameters": parameters})


def _scan(subject_names: set[str]) -> tuple[float, int]:
    """Seconds and rows of one sequential scan over every table that the subjects read."""
    from creditops.warehouse.connection import connect
    from creditops.warnings.subject import load_subjects, with_needs

    subjects = with_needs(subject_names, load_subjects())
    tables = sorted({_table(each) for subject in subjects for each in subject.reads})
    text = " ".join(subject.query for subject in subjects)
    started, rows = time.perf_counter(), 0
    with connect("publisher") as connection:
        _same_settings(connection)
        connection.execute("set local enable_indexscan = off; set local enable_bitmapscan = off")
        connection.execute("set local enable_indexonlyscan = off")
        for table in tables:
            schema, name = table.split(".")
            columns = connection.execute(
                "select column_name, data_type from information_schema.columns"
                " where table_schema = %s and table_name = %s and column_name <> 'book'"
                " order by ordinal_position",
                (schema, name),
            ).fetchall()
            read = [
                sql.SQL("max({}{})").format(
                    sql.Identifier(column), sql.SQL("::int" if kind == "boolean" else "")
                )
                for column, kind in columns
                if re.search(rf"\b{column}\b", text)
            ]
            row = connection.execute(
                sql.SQL("select count(*), {} from {} where book = {}").format(
                    sql.SQL(", ").join(read),
                    sql.SQL(table),  # type: ignore[arg-type]
                    sql.Literal(BOOK),
                )
            ).fetchone()
            assert row is not None
            rows += row[0]
    return time.perf_counter() - started, rows


def _evaluate(rules: list[Any]) -> tuple[float, int]:
    """Seconds and hits of one evaluation of a day on which every hit is news."""
    from creditops.warehouse.connection import connect
    from creditops.warnings import evaluate

    with connect("owner", autocommit=True) as connection:
        tables = ("early_warnings", "warning_events", "warning_states", "warning_runs", "warning_rules")
        connection.execute("set session_replication_role = replica")  # events are append-only
        for table in tables:
            connection.execute(sql.SQL("truncate actions.{}").format(sql.Identifier(table)))
        connection.execute("checkpoint")
    started = time.perf_counter()
    summary = evaluate(BOOK, DAY, rules=rules)
    assert not summary.skipped
    return time.perf_counter() - started, summary.hits


def _same_settings(connection: psycopg.Connection) -> None:
    connection.execute("set local work_mem = '256MB'; set local enable_nestloop = off")


def _table(name: str) -> str:
    return name.format(marts="marts", features="features", scoring="scoring")
