"""The warehouse's own queries on DuckDB: dbt's compiled SQL, on the raw rows that PostgreSQL holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import duckdb

from creditops.warehouse.connection import DATABASE, connect

# What the queries read: the raw sources, and the bureau's reports, which are not measured.
_INPUTS = (
    *(f"raw.{source}" for source in ("customers", "products", "facilities", "due_items", "payments")),
    *("raw.facility_snapshots", "raw.disputes", "intermediate.int_bureau_report"),
)
_SCHEMAS = ("raw", "staging", "intermediate", "marts")


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

    def load(self, book: str) -> None:
        """Copy what the queries read of a book from PostgreSQL."""
        with connect("owner") as postgres:
            for table in _INPUTS:
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
