"""Builds the credit warehouse with dbt: staging to features, one book, one day.

Each layer is one ``dbt build`` in this process; what every model did goes to ``ops.run_log``. dbt's
state (parse cache, compiled SQL, log) lives below ``<home>/dbt``, never in the source tree.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from creditops.books import check_book, end_of_day, zone
from creditops.errors import CreditOpsError, DataRefusedError, UsageError
from creditops.settings import PROJECT_ROOT, get_settings
from creditops.warehouse import build_scope
from creditops.warehouse.connection import address, connect, credentials
from creditops.warehouse.run_log import record

LAYERS = ("staging", "intermediate", "marts", "features")
PROJECT = PROJECT_ROOT / "dbt_project"

# Most staging models are written into the queries that read them; the others come with ``intermediate``.
_BUILT_LAYERS = ("intermediate", "marts", "features")
_PREFIX = re.compile(r"([a-z][a-z0-9_]{0,30}_)?")
_READERS = ("modeller", "publisher")
_SESSION = "-c timezone=UTC -c jit=off -c work_mem=256MB -c enable_nestloop=off"
_SAMPLE_ROWS = 3
_ALL_OF_IT = build_scope.Plan("book", "schemas of its own", {})
# Where the models of a layer are; rows of raw that later models read often are stored with the first layer.
_PATHS = {"intermediate": ("path:models/staging", "path:models/intermediate")}
_QUIET = ("--log-level", "none", "--log-level-file", "info", "--no-write-json")

Progress = Callable[[str], None]


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


@dataclass(frozen=True)
class BuildResult:
    """What a build did.

    Attributes
    ----------
    models: every model built, in order of completion.
    warnings: data tests that found rows but do not stop the line, as ``name: rows``.
    """

    models: list[ModelResult] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

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
    with connect("builder", autocommit=True) as connection, _environment():
        _lock(connection, book, schema_prefix)
        runner = _Runner(state, variables, checks, progress)
        for layer in (each for each in layers if each in _BUILT_LAYERS):
            plan = _ALL_OF_IT
            if not schema_prefix:
                plan = build_scope.plan(connection, request, layer, full_refresh=full_refresh)
            outcome = runner.build(layer, plan.scope)
            _collect(outcome, layer, result, book, as_of, connection)
            if not schema_prefix:
                build_scope.done(connection, request, layer, plan)
        if schema_prefix:
            _grant(connection, schema_prefix)
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
    with _environment():
        runner = _Runner(state, _variables("none", day, end_of_day("none", day)), True, None)
        outcome = runner.test_definitions()
    if outcome.result is None:
        raise CreditOpsError(f"dbt could not test the definitions: {outcome.exception}")
    results = outcome.result.results
    broken = [f"{each.node.name}: {each.message}" for each in results if str(each.status) != "pass"]
    if broken:
        raise CreditOpsError(f"{len(broken)} definitions are broken: " + "; ".join(broken))
    return len(results)


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
        for layer in LAYERS:
            connection.execute(
                sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema_prefix + layer))
            )


class _Runner:
    """dbt in this process; parses the project once for all layers."""

    def __init__(
        self, state: Path, variables: Mapping[str, str], checks: bool, progress: Progress | None
    ) -> None:
        from dbt.cli.main import dbtRunner  # takes two seconds to import

        self._runner: Any = dbtRunner(callbacks=[_on_model_done(progress)] if progress else None)
        self._common = [
            *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
            *("--target-path", str(state / "target"), "--log-path", str(state / "log")),
        ]
        self._variables = dict(variables)
        self._checks = checks
        self._manifest: Any = None
        # Only the schemas depend on a variable when the project is read. To read it with nothing else
        # set lets dbt reuse what it read for another day.
        self._fixed = ["--vars", json.dumps({"schema_prefix": variables["schema_prefix"]})]

    def build(self, layer: str, scope: build_scope.Scope) -> Any:
        """Result of ``dbt build`` for one layer, without the unit tests of definitions."""
        self._parse()
        untested = () if self._checks else ("--exclude-resource-type", "test")
        variables = {**self._variables, "scope": scope, "layer": layer}
        return self._runner.invoke(
            [
                *(*_QUIET, "--no-populate-cache"),
                *("build", "--select", *_PATHS.get(layer, (f"path:models/{layer}",))),
                *("--indirect-selection", "buildable", "--exclude-resource-type", "unit_test", *untested),
                *(*self._common, "--vars", json.dumps(variables)),
            ]
        )

    def test_definitions(self) -> Any:
        """Result of ``dbt test`` for the unit tests."""
        self._parse()
        return self._runner.invoke(
            [
                *(*_QUIET, "test", "--select", "test_type:unit"),
                *(*self._common, "--vars", json.dumps(self._variables)),
            ]
        )

    def _parse(self) -> None:
        if self._manifest is None:
            parsed = self._runner.invoke([*_QUIET, "parse", *self._common, *self._fixed])
            if not parsed.success:
                raise CreditOpsError(f"the dbt project cannot be read: {parsed.exception}")
            self._manifest = parsed.result
        # A run leaves compiled queries behind, which hold its variables.
        self._runner.manifest = self._manifest.deepcopy()


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


def _collect(
    outcome: Any, layer: str, result: BuildResult, book: str, as_of: date, connection: psycopg.Connection
) -> None:
    if outcome.result is None:
        raise CreditOpsError(f"dbt could not build layer {layer}: {outcome.exception}")
    errors: list[str] = []
    failed: list[str] = []
    for each in outcome.result.results:
        status, node = str(each.status), each.node
        if str(node.resource_type) == "model" and status == "success":
            rows = each.adapter_response.get("rows_affected")
            result.models.append(ModelResult(layer, node.name, rows, each.execution_time, _ended_at(each)))
            record(f"dbt.{layer}.{node.name}", rows, each.execution_time, book=book, as_of=as_of)
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


def _on_model_done(progress: Progress) -> Callable[[Any], None]:
    def callback(event: Any) -> None:
        if event.info.name == "LogModelResult":
            data = event.data
            progress(f"{data.node_info.node_name}: {data.status} in {data.execution_time:.1f} s")

    return callback


@contextmanager
def _environment() -> Iterator[None]:
    """Where dbt finds the warehouse (``profiles.yml``) and the session settings libpq hands over."""
    where, (user, password) = address(), credentials("builder")
    wanted = {
        "CREDITOPS_DBT_HOST": where.host,
        "CREDITOPS_DBT_PORT": str(where.port),
        "CREDITOPS_DBT_DATABASE": where.dbname,
        "CREDITOPS_DBT_USER": user,
        "CREDITOPS_DBT_PASSWORD": password,
        "PGOPTIONS": _SESSION,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


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
    for layer in _BUILT_LAYERS:
        schema = sql.Identifier(schema_prefix + layer)
        exists = connection.execute(
            "select 1 from pg_namespace where nspname = %s", (schema_prefix + layer,)
        ).fetchone()
        for reader in _READERS if exists else ():
            role = sql.Identifier(reader)
            connection.execute(sql.SQL("grant usage on schema {} to {}").format(schema, role))
            connection.execute(sql.SQL("grant select on all tables in schema {} to {}").format(schema, role))
