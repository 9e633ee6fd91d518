"""Loading files: against PostgreSQL's own COPY, against dlt, and with ten times the history.

3.6 million due items and 3.5 million payments go from CSV to raw with validation, hashing, comparison
and ledger. Side by side, on an embedded server with its real settings (fsync on): bare COPY of the
same files into logged tables with the files' columns and the business key as primary key; and dlt
(Arrow batches, csv loader format), which validates nothing and keeps no key. Then daily files of 1 %
new due items are loaded onto the history, and onto ten times as much.

``CREDITOPS_BENCH_SCALE=0.01`` makes everything a hundred times smaller, for a quick try.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from psycopg import sql

from benchmarks._ingest_files import due_items, payments
from creditops.settings import get_settings

ROUNDS = 3
DAYS = 7
DUE_ITEMS, PAYMENTS = 3_600_000, 3_500_000
DAY = date(2026, 6, 30)
HISTORY = 10


def run() -> dict[str, Any]:
    """Three rounds of each loader in turn; medians of the seconds and of the rounds' ratios."""
    scale = float(os.environ.get("CREDITOPS_BENCH_SCALE", "1"))
    home = Path(tempfile.mkdtemp(prefix="creditops-bench-"))
    os.environ["CREDITOPS_HOME"] = str(home)
    os.environ.pop("CREDITOPS_DATABASE_URL", None)
    get_settings.cache_clear()
    from creditops.schema import initialise
    from creditops.services import lifecycle

    try:
        lifecycle.up(only={"postgres"}, prepare_warehouse=initialise)
        files = {
            "due_items": due_items(home / "due_items.csv", int(DUE_ITEMS * scale)),
            "payments": payments(home / "payments.csv", int(PAYMENTS * scale)),
        }
        rounds = [_round(files) for _ in range(ROUNDS)]
        daily = _daily(home, int(DUE_ITEMS * scale))
        megabytes = {source: round(path.stat().st_size / 1e6) for source, path in files.items()}
    finally:
        lifecycle.down()
        shutil.rmtree(home, ignore_errors=True)
    return {
        "rows": {"due_items": int(DUE_ITEMS * scale), "payments": int(PAYMENTS * scale)},
        "megabytes": megabytes,
        "seconds": {
            name: {source: _median(each[name][source] for each in rounds) for source in files}
            for name in ("copy", "loader", "dlt")
        },
        "ratio_to_copy": _median(_total(each, "loader") / _total(each, "copy") for each in rounds),
        "ratio_to_dlt": _median(_total(each, "loader") / _total(each, "dlt") for each in rounds),
        **daily,
        "peak_memory_mb": max(each["peak_memory_mb"] for each in rounds),
        "load_average": os.getloadavg()[0],
    }


def _round(files: dict[str, Path]) -> dict[str, Any]:
    result: dict[str, Any] = {"copy": {}, "loader": {}, "dlt": {}, "peak_memory_mb": 0}
    for source, path in files.items():
        _empty()
        result["copy"][source] = _copy(source, path)
        _empty()
        loaded = _child("loader", source, path, DAY)
        assert loaded["rows_loaded"] == loaded["rows_read"] > 0
        result["loader"][source] = loaded["seconds"]
        result["peak_memory_mb"] = max(result["peak_memory_mb"], loaded["peak_memory_mb"])
        _empty()
        result["dlt"][source] = _child("dlt", source, path, DAY)["seconds"]
    return result


def _daily(home: Path, rows: int) -> dict[str, Any]:
    """Seconds of daily files of 1 % new rows with the history once, and with it ten times.

    The copies' keys sort before, so that in both cases new rows come behind the history in the index, as
    numbers given in order do. What making the history left to be written to the disk is written before the
    clock starts, and a first file, not counted, finds the pages of the index.
    """
    from creditops.warehouse.connection import connect

    _empty()
    _child("loader", "due_items", home / "due_items.csv", DAY)
    seconds: dict[str, list[float]] = {"once": [], "tenfold": []}
    day = DAY
    for size, times in seconds.items():
        if size == "tenfold":
            with connect("owner", autocommit=True) as connection:
                connection.execute(
                    "insert into raw.due_items select 'A' || n || due_item_id, facility_id, kind, issued_on,"
                    " due_date, amount_due, principal, interest, fee, currency, book, _batch_id, _row,"
                    " _row_hash, loaded_at, _deleted from raw.due_items, generate_series(1, %s) as n"
                    " where _batch_id = (select min(_batch_id) from raw.due_items)",
                    (HISTORY - 1,),
                )
                connection.execute("vacuum analyze raw.due_items")
        for _ in range(1 + DAYS):
            day += timedelta(days=1)
            path = due_items(home / "due_items.daily.csv", rows // 100, first=rows + (day - DAY).days * rows)
            with connect("owner", autocommit=True) as connection:
                connection.execute("checkpoint")
            os.sync()
            times.append(_child("loader", "due_items", path, day)["seconds"])
    once, tenfold = _median(seconds["once"][1:]), _median(seconds["tenfold"][1:])
    return {
        "daily_seconds": {"history_once": once, "history_tenfold": tenfold},
        "ratio_history_10x": round(tenfold / once, 3),
    }


def _copy(source: str, path: Path) -> float:
    from creditops.books import zone
    from creditops.sources.contract import load_contract
    from creditops.warehouse.connection import connect

    contract = load_contract(source)
    table = sql.Identifier("public", f"copy_{source}")
    columns = sql.SQL(", ").join(
        sql.SQL("{} {} {}").format(
            sql.Identifier(name), sql.SQL(type_), sql.SQL("" if nullable else "not null")
        )
        for name, type_, nullable in contract.raw_columns()
    )
    key = sql.SQL(", ").join(map(sql.Identifier, contract.key))
    with connect("owner") as connection:
        connection.execute(
            sql.SQL("drop table if exists {0}; create table {0} ({1}, primary key ({2}))").format(
                table, columns, key
            )
        )
        connection.execute("select set_config('timezone', %s, false)", (str(zone("demo")),))
        connection.commit()
        started = time.perf_counter()
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("copy {} from stdin (format csv, header)").format(table)) as stream,
            path.open("rb") as handle,
        ):
            while block := handle.read(1 << 20):
                stream.write(block)
        connection.commit()
        seconds = time.perf_counter() - started
        connection.execute(sql.SQL("drop table {}").format(table))
    return seconds


def _child(name: str, source: str, path: Path, day: date) -> dict[str, Any]:
    """Run one loader in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "benchmarks.ingest", name, source, str(path), day.isoformat()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} of {source} failed: {done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _load_with_loader(source: str, path: Path, day: date) -> dict[str, Any]:
    from creditops.ingest.land.landing import land
    from creditops.ingest.write.loader import load_file

    (landed,) = land("demo", [path], day)
    started = time.perf_counter()
    result = load_file(landed)
    return {
        "seconds": time.perf_counter() - started,
        "rows_read": result.rows_read,
        "rows_loaded": result.rows_loaded,
    }


def _load_with_dlt(source: str, path: Path, day: date) -> dict[str, Any]:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    from creditops.sources.contract import load_contract
    from creditops.warehouse.connection import url

    empty = {
        name: pa.string() for name, _, nullable in load_contract(source).raw_columns() if nullable
    }  # Arrow takes types from the first block, where such a column may be empty

    def batches():  # type: ignore[no-untyped-def]
        options = arrow_csv.ConvertOptions(column_types=empty, strings_can_be_null=True)
        with arrow_csv.open_csv(path, convert_options=options) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])

    home = get_settings().home / "dlt"
    shutil.rmtree(home, ignore_errors=True)
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(home),
        destination=dlt.destinations.postgres(url("owner")),
        dataset_name="dlt_bench",
    )
    started = time.perf_counter()
    pipeline.run(dlt.resource(batches, name=source), loader_file_format="csv", write_disposition="append")
    return {"seconds": time.perf_counter() - started}


_LOADERS: dict[str, Callable[[str, Path, date], dict[str, Any]]] = {
    "loader": _load_with_loader,
    "dlt": _load_with_dlt,
}


def _empty() -> None:
    """An empty warehouse, and a server that is not busy with what was before."""
    from creditops.warehouse.connection import connect

    with connect("owner", autocommit=True) as connection:
        connection.execute(
            "drop schema if exists dlt_bench cascade; drop schema if exists dlt_bench_staging cascade"
        )
        connection.execute("truncate raw.due_items, raw.payments")
        connection.execute("truncate ops.load_ledger, ops.quarantine cascade")
        connection.execute("checkpoint")


def _total(measured: dict[str, Any], name: str) -> float:
    return float(sum(measured[name].values()))


def _median(values: Any) -> float:
    return round(statistics.median(values), 3)


if __name__ == "__main__":
    import resource

    loader, of_source, file, on = sys.argv[1:]
    outcome = _LOADERS[loader](of_source, Path(file), date.fromisoformat(on))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**outcome, "peak_memory_mb": round(peak)}))
