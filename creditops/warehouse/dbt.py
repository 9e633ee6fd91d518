"""dbt in this process: how the project is read, run and documented, and where it finds the warehouse."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from creditops.addresses import required_auth
from creditops.errors import CreditOpsError
from creditops.settings import PROJECT_ROOT
from creditops.warehouse import definitions
from creditops.warehouse.build_scope import Scope
from creditops.warehouse.connection import address, credentials

PROJECT = PROJECT_ROOT / "dbt_project"

# Sorts and hashes of millions of rows stay in memory where there is enough of it.
_WORK_MEM = "1GB" if psutil.virtual_memory().total >= 16 * 1024**3 else "256MB"
_SESSION = f"-c timezone=UTC -c jit=off -c work_mem={_WORK_MEM} -c enable_nestloop=off"
# Where the models of a layer are; rows of raw that later models read often are stored with the first layer.
_PATHS = {"intermediate": ("path:models/staging", "path:models/intermediate")}
_QUIET = ("--log-level", "none", "--log-level-file", "info")

Progress = Callable[[str], None]


class DbtRunner:
    """dbt in this process; parses the project once for all layers."""

    def __init__(
        self, state: Path, variables: Mapping[str, Any], checks: bool, progress: Progress | None
    ) -> None:
        from dbt.cli.main import dbtRunner  # takes two seconds to import

        self._runner: Any = dbtRunner(callbacks=[_on_model_done(progress)] if progress else None)
        self._common = [
            *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
            *("--target-path", str(state / "target"), "--log-path", str(state / "log" / variables["book"])),
        ]
        self._variables = {**definitions.variables(), **variables}
        self._checks = checks
        self._manifest: Any = None
        # Only the schemas depend on a variable when the project is read. To read it with nothing else
        # set lets dbt reuse what it read for another day.
        self._fixed = ["--vars", json.dumps({"schema_prefix": variables["schema_prefix"]})]

    def build(self, layer: str, scope: Scope, only: Sequence[str] = ()) -> Any:
        """Result of ``dbt build`` for one layer, or ``only`` some models, without the unit tests."""
        self._parse()
        untested = () if self._checks else ("--exclude-resource-type", "test")
        variables = {**self._variables, "scope": scope, "layer": layer}
        return self._runner.invoke(
            [
                *(*_QUIET, "--no-write-json", "--no-populate-cache"),
                *("build", "--select", *(only or self.selection(layer))),
                *("--indirect-selection", "buildable", "--exclude-resource-type", "unit_test", *untested),
                *(*self._common, "--vars", json.dumps(variables)),
            ]
        )

    def selection(self, layer: str) -> tuple[str, ...]:
        """What of the project a layer's build makes, as dbt's selectors."""
        return _PATHS.get(layer, (f"path:models/{layer}",))

    def test_definitions(self) -> Any:
        """Result of ``dbt test`` for the unit tests."""
        self._parse()
        return self._runner.invoke(
            [
                *(*_QUIET, "--no-write-json", "test", "--select", "test_type:unit"),
                *(*self._common, "--vars", json.dumps(self._variables)),
            ]
        )

    def document(self) -> Any:
        """Result of ``dbt docs generate``."""
        self._parse()
        variables = ("--vars", json.dumps(self._variables))
        return self._runner.invoke([*_QUIET, "docs", "generate", "--static", *self._common, *variables])

    def _parse(self) -> None:
        if self._manifest is None:
            parsed = self._runner.invoke([*_QUIET, "--no-write-json", "parse", *self._common, *self._fixed])
            if not parsed.success:
                raise CreditOpsError(f"the dbt project cannot be read: {parsed.exception}")
            self._manifest = parsed.result
        # A run leaves compiled queries behind, which hold its variables.
        self._runner.manifest = self._manifest.deepcopy()


@contextmanager
def environment() -> Iterator[None]:
    """Where dbt finds the warehouse (``profiles.yml``) and the session settings libpq hands over."""
    where, (user, password) = address(), credentials("builder")
    wanted = {
        "CREDITOPS_DBT_HOST": where.host,
        "CREDITOPS_DBT_PORT": str(where.port),
        "CREDITOPS_DBT_DATABASE": where.dbname,
        "CREDITOPS_DBT_USER": user,
        "CREDITOPS_DBT_PASSWORD": password,
        **({"PGREQUIREAUTH": how} if (how := required_auth()) else {}),
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


def _on_model_done(progress: Progress) -> Callable[[Any], None]:
    def callback(event: Any) -> None:
        if event.info.name == "LogModelResult":
            data = event.data
            progress(f"{data.node_info.node_name}: {data.status} in {data.execution_time:.1f} s")

    return callback
