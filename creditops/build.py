"""Builds the credit warehouse with dbt: staging to features, then what is published; one book, one day.

Each layer is one ``dbt build`` in this process; what every model did goes to ``ops.run_log``. dbt's
state (parse cache, compiled SQL, log) lives below ``<home>/dbt``, never in the source tree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from creditops import clock
from creditops.books import check_book, end_of_day, zone
from creditops.errors import CreditOpsError, DataRefusedError, UsageError
from creditops.quality.set_aside import SetAside, read_set_aside
from creditops.settings import get_settings
from creditops.warehouse import build_scope
from creditops.warehouse.characteristics import build_characteristics
from creditops.warehouse.connection import connect
from creditops.warehouse.dbt import PROJECT, DbtRunner, Progress, environment
from creditops.warehouse.layers import BUILT_LAYERS, LAYERS, SERVING
from creditops.warehouse.run_log import record
from creditops.warehouse.slow_steps import warn_of_slow_steps

__all__ = [
    "LAYERS",
    "PROJECT",
    "BuildResult",
    "ModelResult",
    "build",
    "check_definitions",
    "drop_build",
    "serve",
    "write_docs",
]


# Most staging models are written into the queries that read them; the others come with ``intermediate``.
_PREFIX = re.compile(r"([a-z][a-z0-9_]{0,30}_)?")
_READERS = ("modeller", "publisher")
_SAMPLE_ROWS = 3
# Below this a process of its own costs more than it saves; each takes memory for its sorts.
_SHARED_SOURCES, _SHARED_FROM_ROWS, _MOST_SHARES = ("due_items", "payments"), 1_000_000, 4
_ALL_OF_IT = build_scope.Plan("book", "schemas of its own", {})


@dataclass(frozen=True)
class ModelResult:
    """What building one model did.

    Attributes
    ----------
    rows: rows written for the book.
    ended_at: when it was done, in seconds of the epoch.
    """

    layer: str
    name: str
    rows: int | None
    seconds: float
    ended_at: float = 0.0


@dataclass
class BuildResult:
    """What a build did.

    Attributes
    ----------
    models: every model built, in order of completion.
    warnings: data tests that found rows but do not stop the line, as ``name: rows``.
    set_aside: facilities left out of all layers; ``None`` where ``intermediate`` was not built.
    """

    models: list[ModelResult] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    set_aside: SetAside | None = None

    @property
    def rows(self) -> dict[str, int | None]:
        """Rows written per model."""
        return {model.name: model.rows for model in self.models}


def build(
    book: str,
    as_of: date,
    *,
    layers: Sequence[str] = LAYERS,
    known_at: datetime | None = None,
    labels_known_at: datetime | None = None,
    schema_prefix: str = "",
    full_refresh: bool = False,
    checks: bool = True,
    shares: int | None = None,
    progress: Progress | None = None,
) -> BuildResult:
    """Build layers of the warehouse for one book, as of a day, as known at a time.

    Parameters
    ----------
    known_at: only rows loaded by then count; the end of ``as_of`` in the book's zone by default.
    labels_known_at: the same for outcomes from outside; ``known_at`` by default.
    schema_prefix: builds into schemas of its own (``<prefix>marts``, ...) and leaves the live
        ones alone; see :func:`drop_build`.
    full_refresh: rebuild what an incremental build would keep.
    checks: whether the data tests of each layer run; a build without them is for measuring.
    shares: how many processes of PostgreSQL compute each of the large models of a build of everything;
        by default as many as there are processors, at most four, once raw holds a million rows of them.
    progress: told each model as it is done.

    Raises
    ------
    UsageError: unknown layer, book or prefix.
    DataRefusedError: a data test failed; names it with its failing rows and examples.
    CreditOpsError: a model could not be built.
    ServiceUnreachableError: PostgreSQL does not answer.
    """
    check_book(book)
    _check(layers, schema_prefix)
    known = known_at or end_of_day(book, as_of)
    variables = _variables(book, as_of, known, labels_known_at, schema_prefix)
    state = get_settings().home / "dbt" / (schema_prefix or "live")
    request = build_scope.Request(book, as_of, known, PROJECT)
    result = BuildResult()
    with connect("builder", autocommit=True) as connection, environment():
        _lock(connection, book, schema_prefix)
        for layer in LAYERS if schema_prefix else ():
            connection.execute("select ops.make_build_schema(%s)", (f"{schema_prefix}{layer}",))
        variables["shares"] = str(shares or _shares(connection))
        runner = DbtRunner(state, variables, checks, progress)
        for layer in (each for each in layers if each in BUILT_LAYERS):
            plan = _ALL_OF_IT
            if not schema_prefix:
                plan = build_scope.plan(connection, request, layer, full_refresh=full_refresh)
            outcome = runner.build(layer, plan.scope)
            if layer == "intermediate" and outcome.success is not None:
                result.set_aside = read_set_aside(connection, book, schema_prefix=schema_prefix)
            try:
                _collect(outcome, layer, result, request, plan.scope, connection)
                if layer == "features":
                    _collect_characteristics(result, request, schema_prefix, connection)
            finally:
                steps = [_step(model) for model in result.models if model.layer == layer]
                warn_of_slow_steps(connection, steps, book, plan.scope, as_of)
            build_scope.done(connection, request, layer, plan, schema_prefix=schema_prefix)
            if layer == "intermediate" and result.set_aside is not None:
                result.set_aside.refuse_if_too_many(book)
        if schema_prefix:
            _grant(connection, schema_prefix)
    return result


def serve(
    book: str,
    as_of: date,
    *,
    variables: Mapping[str, Any],
    only: Sequence[str] = (),
    known_at: datetime | None = None,
    schema_prefix: str = "",
    progress: Progress | None = None,
) -> BuildResult:
    """Make what is published of a book's day: layer ``serving``, from marts, features, scores and acts.

    ``ops.build_state`` says which day the layer holds as a whole.

    Parameters
    ----------
    variables: what the models ask beside book and day (:mod:`creditops.decisions`).
    only: names of models, if not all are to be made.
    schema_prefix: reads marts and features of a build with this prefix.

    Raises
    ------
    CreditOpsError: a model could not be made.
    ServiceUnreachableError: PostgreSQL does not answer.
    """
    known = known_at or end_of_day(book, as_of)
    request = build_scope.Request(book, as_of, known, PROJECT)
    state = get_settings().home / "dbt" / (schema_prefix or "live")
    result = BuildResult()
    given = {**_variables(book, as_of, known, None, schema_prefix), **variables}
    with connect("builder", autocommit=True) as connection, environment():
        connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (f"publish {book}",))
        connection.execute("delete from ops.build_state where book = %s and layer = %s", (book, SERVING))
        runner = DbtRunner(state, given, False, progress)
        outcome = runner.build(SERVING, "book", only)
        _collect(outcome, SERVING, result, request, "book", connection)
        warn_of_slow_steps(connection, [_step(model) for model in result.models], book, "book", as_of)
        if not only:
            build_scope.note_built(connection, request, SERVING, _ALL_OF_IT)
    return result


def check_definitions() -> int:
    """Run dbt's unit tests of the definitions; returns how many there are.

    They read no data, only the columns of a warehouse that was built before.

    Raises
    ------
    CreditOpsError: a definition is broken; names the test and shows the difference.
    """
    day = date(1970, 1, 1)
    state = get_settings().home / "dbt" / "live"
    with environment():
        runner = DbtRunner(state, _variables("none", day, end_of_day("none", day)), True, None)
        outcome = runner.test_definitions()
    if outcome.result is None:
        raise CreditOpsError(f"dbt could not test the definitions: {outcome.exception}")
    results = outcome.result.results
    broken = [f"{each.node.name}: {each.message}" for each in results if str(each.status) != "pass"]
    if broken:
        raise CreditOpsError(f"{len(broken)} definitions are broken: " + "; ".join(broken))
    return len(results)


def write_docs() -> Path:
    """Write dbt's documentation of the warehouse; returns its page, which needs no server.

    Raises
    ------
    CreditOpsError: dbt could not write it.
    """
    day = date(1970, 1, 1)
    state = get_settings().home / "dbt" / "live"
    with environment():
        runner = DbtRunner(state, _variables("none", day, end_of_day("none", day)), True, None)
        outcome = runner.document()
    if not outcome.success:
        raise CreditOpsError(f"dbt could not write the documentation: {outcome.exception}")
    return state / "target" / "static_index.html"


def drop_build(schema_prefix: str) -> None:
    """Drop the schemas of a build with a prefix.

    Raises
    ------
    UsageError: the prefix is empty or no prefix.
    """
    _check((), schema_prefix)
    if not schema_prefix:
        raise UsageError("the live schemas are not dropped", hint="name the prefix of a build")
    with connect("builder") as connection:
        connection.execute(
            "delete from ops.build_state where layer = any(%s)", ([schema_prefix + each for each in LAYERS],)
        )
        for layer in LAYERS:
            connection.execute(
                sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema_prefix + layer))
            )


def _variables(
    book: str,
    as_of: date,
    known_at: datetime,
    labels_known_at: datetime | None = None,
    schema_prefix: str = "",
) -> dict[str, str]:
    return {
        "book": book,
        "as_of": as_of.isoformat(),
        "known_at": known_at.isoformat(),
        "labels_known_at": (labels_known_at or known_at).isoformat(),
        "time_zone": zone(book).key,
        "schema_prefix": schema_prefix,
    }


def _shares(connection: psycopg.Connection) -> int:
    row = connection.execute(
        "select sum(reltuples) from pg_class"
        " where relnamespace = to_regnamespace('raw') and relname = any(%s)",
        (list(_SHARED_SOURCES),),
    ).fetchone()
    rows = row[0] if row and row[0] else 0
    return min(psutil.cpu_count() or 1, _MOST_SHARES) if rows >= _SHARED_FROM_ROWS else 1


def _step(model: ModelResult) -> str:
    return f"dbt.{model.layer}.{model.name}"


def _collect(
    outcome: Any,
    layer: str,
    result: BuildResult,
    request: build_scope.Request,
    scope: build_scope.Scope,
    connection: psycopg.Connection,
) -> None:
    book, as_of = request.book, request.as_of
    if outcome.result is None:
        raise CreditOpsError(f"dbt could not build layer {layer}: {outcome.exception}")
    errors: list[str] = []
    failed: list[str] = []
    for each in outcome.result.results:
        status, node = str(each.status), each.node
        if str(node.resource_type) == "model" and status == "success":
            rows = each.adapter_response.get("rows_affected")
            model = ModelResult(layer, node.name, rows, each.execution_time, _ended_at(each))
            result.models.append(model)
            record(
                _step(model), rows, model.seconds, book=book, as_of=as_of, scope=scope, connection=connection
            )
        elif status == "error":
            errors.append(f"{node.name}: {each.message}")
        elif status == "fail":
            failed.append(f"{node.name}: {each.failures} rows{_examples(connection, node)}")
        elif status == "warn":
            result.warnings.append(f"{node.name}: {each.failures} rows")
    if failed:
        raise DataRefusedError(
            f"{len(failed)} data tests failed for book {book}: " + "; ".join(failed),
            hint="mend the rows at their source and deliver them again",
        )
    if errors:
        raise CreditOpsError(
            f"dbt could not build layer {layer} of book {book}: " + "; ".join(errors),
            hint=f"see {get_settings().home / 'dbt'}",
        )


def _collect_characteristics(
    result: BuildResult, request: build_scope.Request, schema_prefix: str, connection: psycopg.Connection
) -> None:
    made = build_characteristics(
        connection, request.book, request.as_of, request.known_at, f"{schema_prefix}features"
    )
    if made is not None:
        name, rows, seconds = made
        model = ModelResult("features", name, rows, seconds, clock.now().timestamp())
        result.models.append(model)
        record(_step(model), rows, seconds, book=request.book, as_of=request.as_of, scope="book")


def _ended_at(result: Any) -> float:
    ends = [each.completed_at.timestamp() for each in result.timing if each.completed_at]
    return max(ends, default=0.0)


def _examples(connection: psycopg.Connection, node: Any) -> str:
    """The first failing rows of a test, by its own query."""
    try:
        cursor = connection.execute(f"select * from ({node.compiled_code}) as failing limit {_SAMPLE_ROWS}")
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except psycopg.Error:
        return ""
    return ", for example " + "; ".join(
        ", ".join(f"{name} {value}" for name, value in row.items()) for row in rows
    )


def _check(layers: Sequence[str], schema_prefix: str) -> None:
    unknown = [layer for layer in layers if layer not in LAYERS]
    if unknown:
        raise UsageError(f"there is no layer {unknown[0]!r}", hint=f"use {', '.join(LAYERS)}")
    if not _PREFIX.fullmatch(schema_prefix):
        raise UsageError(
            f"{schema_prefix!r} is no schema prefix",
            hint="use lower case letters, digits and _, ending with _, e.g. asof_2026_03_",
        )


def _lock(connection: psycopg.Connection, book: str, schema_prefix: str) -> None:
    """Wait for a running build of the same book; the lock ends with the connection."""
    connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (f"build {schema_prefix} {book}",))


def _grant(connection: psycopg.Connection, schema_prefix: str) -> None:
    for layer in BUILT_LAYERS:
        schema = sql.Identifier(schema_prefix + layer)
        exists = connection.execute(
            "select 1 from pg_namespace where nspname = %s", (schema_prefix + layer,)
        ).fetchone()
        for reader in _READERS if exists else ():
            role = sql.Identifier(reader)
            connection.execute(sql.SQL("grant usage on schema {} to {}").format(schema, role))
            connection.execute(sql.SQL("grant select on all tables in schema {} to {}").format(schema, role))
