"""The warehouse's own queries on DuckDB: dbt's compiled SQL, on the raw rows that PostgreSQL holds."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import duckdb

from creditops.errors import CreditOpsError
from creditops.warehouse.connection import DATABASE, connect
from creditops.warehouse.dbt import PROJECT, environment

_PANEL = "model.creditops.fct_facility_month"
_GIVEN = "model.creditops.int_bureau_report"
"""The bureau's reports, which are not measured."""
_SCHEMAS = ("raw", "staging", "intermediate", "marts")


@dataclass(frozen=True)
class Lineage:
    """What is between the raw rows and the month-end panel, itself included.

    Attributes
    ----------
    models: those that are tables or views, each behind what it reads.
    inputs: relations that they read and that are not among them.
    """

    models: tuple[str, ...]
    inputs: tuple[str, ...]


@lru_cache
def lineage(target: Path) -> Lineage:
    """The lineage of the panel, as dbt reads it from the project; ``target`` is a folder for its files."""
    from dbt.cli.main import dbtRunner

    where = ("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT))
    with environment():
        files = ("--target-path", str(target), "--log-path", str(target))
        read = dbtRunner().invoke(
            ["--log-level", "none", "--log-level-file", "none", "parse", *where, *files]
        )
    if not read.success:
        raise CreditOpsError(f"the dbt project cannot be read: {read.exception}")
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    nodes, sources = manifest["nodes"], manifest["sources"]
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        if name in nodes and name != _GIVEN:
            for parent in nodes[name]["depends_on"]["nodes"]:
                visit(parent)
        ordered[name] = None

    visit(_PANEL)
    models = (name for name in ordered if name in nodes and name != _GIVEN)
    return Lineage(
        tuple(nodes[name]["name"] for name in models if nodes[name]["config"]["materialized"] != "ephemeral"),
        tuple(
            f"{each['schema']}.{each.get('identifier') or each['alias']}"
            for each in (
                sources[name] if name in sources else nodes[name]
                for name in ordered
                if name in sources or name == _GIVEN
            )
        ),
    )


class DuckWarehouse:
    """A DuckDB file with the catalogue name of the warehouse, gone at the end."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._connection = duckdb.connect(str(folder / f"{DATABASE}.duckdb"))

    def __enter__(self) -> DuckWarehouse:
        for schema in _SCHEMAS:
            self._connection.execute(f"create schema {schema}")
        # PostgreSQL's hash of a text, by another function: only equality counts.
        self._connection.execute(
            "create macro hashtextextended(value, seed) as cast(hash(value) >> 1 as bigint)"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()
        for path in self._folder.iterdir():
            path.unlink()

    def load(self, book: str, tables: Sequence[str]) -> None:
        """Copy what the queries read of a book from PostgreSQL."""
        with connect("owner") as postgres:
            for table in tables:
                columns = postgres.execute(
                    "select attname, format_type(atttypid, atttypmod) from pg_attribute"
                    " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
                    (table,),
                ).fetchall()
                types = ", ".join(f'"{name}" {type_}' for name, type_ in columns)
                self._connection.execute(f"create table {table} ({types})")
                path = self._folder / f"{table}.csv"
                rows = f"select * from {table} where book = '{book}'"
                query = f"copy ({rows}) to stdout (format csv, header)"
                with path.open("wb") as file, postgres.cursor().copy(query) as copy:  # type: ignore[arg-type]
                    for block in copy:
                        file.write(block)
                self._connection.execute(f"copy {table} from '{path}' (format csv, header)")
                path.unlink()

    def build(self, target: Path, models: Sequence[str]) -> dict[str, float]:
        """Seconds to write each model's table from its query as dbt compiled it, and ``all``."""
        seconds = {}
        for model in models:
            (path,) = target.glob(f"compiled/creditops/models/**/{model}.sql")
            schema = path.relative_to(target / "compiled" / "creditops" / "models").parts[0]
            started = time.perf_counter()
            self._connection.execute(f"create table {schema}.{model} as\n{path.read_text()}")
            seconds[model] = round(time.perf_counter() - started, 3)
        return {**seconds, "all": round(sum(seconds.values()), 3)}
