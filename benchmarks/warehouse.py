"""Settlement and the month-end panel of 100,000 facilities x 36 months: in full, by day, and on DuckDB.

- ``ratio_to_duckdb``: seconds of the models from raw rows to the panel, built in full, over the seconds
  that DuckDB takes for the very same queries (dbt's compiled SQL) on the same rows, one after the other
  in each round. Both write every table.
- ``ratio_daily_to_full``: the same models on the next day, on which 0.5 % of the facilities got a payment.
- ``ratio_history_4x``: such a day on 25,000 facilities x 144 months over one on 25,000 x 36;
  ``ratio_history_4x_whole_day``: the same, of every model of the day.

Seconds are the time during which one of these models was at work, by dbt's own clock; what dbt needs to
start and to read its project is in ``build_wall_seconds``. Rows are made by PostgreSQL from their numbers,
the same every time.

``CREDITOPS_BENCH_SCALE=0.01`` makes both books a hundred times smaller, for a quick try.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._warehouse_duckdb import DuckWarehouse, lineage
from creditops.settings import get_settings

if TYPE_CHECKING:
    from creditops.build import ModelResult

FACILITIES = 100_000
FEWER_FACILITIES = 25_000
MONTHS = 36
DAY = date(2026, 6, 14)
ROUNDS = 3
DAYS = 5
TOUCHED = 0.005
LAYERS = ("intermediate", "marts")


def run() -> dict[str, Any]:
    """Two books on a server of their own: one of 36 months, one with four times the history."""
    home = Path(tempfile.mkdtemp(prefix="creditops-bench-"))
    os.environ["CREDITOPS_HOME"] = str(home)
    os.environ.pop("CREDITOPS_DATABASE_URL", None)
    get_settings.cache_clear()
    from creditops.schema import initialise
    from creditops.services import lifecycle

    try:
        lifecycle.up(only={"postgres"}, prepare_warehouse=initialise)
        return _measure(home)
    finally:
        lifecycle.down()
        shutil.rmtree(home, ignore_errors=True)


def _measure(home: Path) -> dict[str, Any]:
    scale = float(os.environ.get("CREDITOPS_BENCH_SCALE", "1"))
    rows = _fill("bench", int(FACILITIES * scale), MONTHS)
    full, duck, walls = [], [], []
    for number in range(ROUNDS):
        started = time.perf_counter()
        full.append(_build("bench", DAY, full_refresh=True))
        walls.append(time.perf_counter() - started)
        with DuckWarehouse(home / f"round{number}") as warehouse:
            wanted = lineage(home / "lineage")
            warehouse.load("bench", wanted.inputs)
            duck.append(warehouse.build(home / "dbt" / "live" / "target", wanted.models))
    daily = [_day("bench", number) for number in range(1, DAYS + 1)]
    by_history = {}
    for book, months in (("short", MONTHS), ("long", 4 * MONTHS)):
        _fill(book, int(FEWER_FACILITIES * scale), months)
        _build(book, DAY, full_refresh=True)
        days = [_day(book, number) for number in range(1, DAYS + 1)]
        by_history[book] = statistics.median(day["all"] for day in days)
        by_history[f"{book}_whole_day"] = statistics.median(day["whole_day"] for day in days)
    seconds = {
        "full": statistics.median(each["all"] for each in full),
        "duckdb": statistics.median(each["all"] for each in duck),
        "daily": statistics.median(each["all"] for each in daily),
        **by_history,
    }
    return {
        "ratio_to_duckdb": round(
            statistics.median(ours["all"] / theirs["all"] for ours, theirs in zip(full, duck, strict=True)), 3
        ),
        "ratio_daily_to_full": round(seconds["daily"] / seconds["full"], 4),
        "ratio_history_4x": round(seconds["long"] / seconds["short"], 3),
        "ratio_history_4x_whole_day": round(seconds["long_whole_day"] / seconds["short_whole_day"], 3),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "models": {"full": full[-1], "duckdb": duck[-1], "daily": daily[-1]},
        "build_wall_seconds": round(statistics.median(walls), 2),
        "rows": rows,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _build(book: str, day: date, *, full_refresh: bool = False) -> dict[str, float]:
    """Seconds of each model up to the panel; as ``all`` those in which any of them was at work, as
    ``whole_day`` those in which any model was.
    """
    from creditops.build import build

    result = build(book, day, layers=LAYERS, full_refresh=full_refresh, checks=False)
    wanted = lineage(get_settings().home / "lineage").models
    measured = [model for model in result.models if model.name in wanted]
    return {
        **{model.name: round(model.seconds, 3) for model in measured},
        "all": _busy(measured),
        "whole_day": _busy(result.models),
    }


def _busy(models: Iterable[ModelResult]) -> float:
    busy, until = 0.0, 0.0
    for started, ended in sorted((model.ended_at - model.seconds, model.ended_at) for model in models):
        busy += max(ended - max(started, until), 0.0)
        until = max(until, ended)
    return round(busy, 3)


def _day(book: str, number: int) -> dict[str, float]:
    """The seconds of a day on which some facilities paid, a tenth of them for last month."""
    from creditops.warehouse.connection import connect

    day = DAY + timedelta(days=number)
    with connect("owner") as connection:
        connection.execute(
            "insert into raw.payments (payment_id, facility_id, value_date, amount, currency,"
            " book, _batch_id, _row, _row_hash, loaded_at)"
            " select 'day' || %(number)s || '-' || facility_id, facility_id,"
            "   case when _row / %(every)s %% 10 = 0 then %(day)s::date - 30 else %(day)s end, 10, 'CNY',"
            "   book, 1 + %(number)s, _row, 0,"
            "   (%(day)s::date + time '23:00')::timestamp at time zone 'Asia/Shanghai'"
            " from raw.facilities where book = %(book)s and (_row + %(number)s) %% %(every)s = 0",
            {"number": number, "day": day, "book": book, "every": round(1 / TOUCHED)},
        )
    return _build(book, day)


def _fill(book: str, facilities: int, months: int) -> dict[str, int]:
    """Raw rows of loans with a monthly instalment; three in a hundred stop paying, some pay late. Nothing is
    paid after DAY, so that a day touches no facilities but those of :func:`_day`.
    """
    from creditops.warehouse.connection import connect

    parameters = {
        **{"book": book, "facilities": facilities, "months": months},
        **{"day": DAY, "last": DAY.replace(day=1)},
    }
    counts = {}
    with connect("owner") as connection:
        for source, statement in _ROWS.items():
            counts[source] = connection.execute(statement, parameters).rowcount
    with connect("owner", autocommit=True) as connection:
        for source in _ROWS:
            connection.execute(f"vacuum (analyze) raw.{source}")  # type: ignore[arg-type]
    return counts


_PLATFORM = "%(book)s, 1, n, 0"
# A loan is opened ten days before the month of its first instalment, which is due on a day of its own.
_LOANS = """
    select n, 'F' || lpad(n::text, 7, '0') as facility_id, 10000 + n %% 90000 as instalment,
        n %% 28 as due_day, n * 7919 %% 1000 as luck,
        (%(last)s::date - make_interval(months => %(months)s))::date as first_month
    from generate_series(1, %(facilities)s) as numbers (n)
"""
_INSTALMENTS = f"""
    select loans.*, k, facility_id || '-' || lpad(k::text, 3, '0') as due_item_id,
        (first_month + make_interval(months => k))::date + due_day as due_date
    from ({_LOANS}) as loans
    cross join generate_series(1, %(months)s) as instalments (k)
"""
_ROWS: Mapping[str, str] = {
    "products": f"""
        insert into raw.products (product_id, name, product_type, lgd, ccf, effective_date,
            book, _batch_id, _row, _row_hash, loaded_at)
        select 'LOAN', 'LOAN', 'instalment_loan', 0.5, 0.5, '2000-01-01', {_PLATFORM}, '2000-01-01'
        from generate_series(1, 1) as numbers (n)
    """,
    "customers": f"""
        insert into raw.customers (customer_id, customer_type, effective_date,
            book, _batch_id, _row, _row_hash, loaded_at)
        select 'C' || facility_id, 'retail', '2000-01-01', {_PLATFORM}, '2000-01-01' from ({_LOANS}) as loans
    """,
    "facilities": f"""
        insert into raw.facilities (facility_id, customer_id, product_id, opened_on, currency, principal,
            status, effective_date, book, _batch_id, _row, _row_hash, loaded_at)
        select facility_id, 'C' || facility_id, 'LOAN', first_month + 20, 'CNY',
            instalment * 9 / 10 * %(months)s / 100.0, 'active', first_month + 20, {_PLATFORM}, '2000-01-01'
        from ({_LOANS}) as loans
    """,
    "due_items": f"""
        insert into raw.due_items (due_item_id, facility_id, kind, issued_on, due_date, amount_due, principal,
            currency, book, _batch_id, _row, _row_hash, loaded_at)
        select due_item_id, facility_id, 'instalment', first_month + 20, due_date, instalment / 100.0,
            instalment * 9 / 10 / 100.0, 'CNY', {_PLATFORM}, '2000-01-01'
        from ({_INSTALMENTS}) as instalments
    """,
    "payments": f"""
        insert into raw.payments (payment_id, facility_id, value_date, amount, currency,
            book, _batch_id, _row, _row_hash, loaded_at)
        select 'P' || due_item_id, facility_id, value_date, instalment / 100.0, 'CNY', {_PLATFORM},
            (value_date + time '12:00')::timestamp at time zone 'UTC'
        from (
            select *,
                due_date + case when (n + k) %% 10 < 7 then 0 else (n * 31 + k * 17) %% 45 end as value_date
            from ({_INSTALMENTS}) as instalments
            where luck >= 30 or k <= luck * %(months)s / 30
        ) as paid
        where value_date <= %(day)s
        order by value_date, facility_id
    """,
}
