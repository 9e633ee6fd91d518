"""Rows of a real PostgreSQL database are streamed into the landing zone from a watermark on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import psycopg
import pytest

from creditops.errors import ServiceUnreachableError, UsageError
from creditops.ingest.land.landing import landed_files
from creditops.ingest.write.loader import load_file
from creditops.places.fetch import fetch
from creditops.places.fetched import Fetched
from creditops.warehouse.connection import connect

DAY = date(2026, 6, 30)
Declare = Callable[..., None]
QUERY = (
    "select 'P' || id as payment_id, account as facility_id, null::text as due_item_id,"
    " paid_on as value_date, booked as booked_at, amount, 'CNY' as currency,"
    " null::text as reverses_payment_id, 'customer' as payer,"
    " changed_at from core.receipts where changed_at >= :watermark order by changed_at"
)


@pytest.fixture
def core(
    module_warehouse: str, home: object, monkeypatch: pytest.MonkeyPatch
) -> Iterator[psycopg.Connection]:
    """A lender's core system: a schema of its own with 20,000 receipts."""
    monkeypatch.setenv("CORE_URL", module_warehouse)
    with psycopg.connect(module_warehouse, autocommit=True) as connection:
        connection.execute(
            "create schema core; create table core.receipts (id int, account text, paid_on date,"
            " booked timestamptz, amount numeric(18,2), changed_at timestamp)"
        )
        connection.execute(
            "insert into core.receipts select n, 'F' || n % 700, date '2026-01-01' + n % 170,"
            " timestamptz '2026-01-01 08:00+08' + n * interval '1 minute', n / 100.0,"
            " timestamp '2026-06-01' + n * interval '1 second' from generate_series(1, 20000) n"
        )
        connection.execute("set timezone to 'UTC'")
        yield connection
        connection.execute("drop schema core cascade")
    with connect("owner") as owner:
        owner.execute("truncate raw.payments, ops.load_ledger cascade")


def declare_core(declare: Declare, query: str = QUERY, **more: object) -> None:
    declare(
        "core",
        kind="sql",
        url_env="CORE_URL",
        chunk_rows=7_000,
        queries=[
            {"source": "payments", "query": query, "watermark": "changed_at", "start": "2000-01-01", **more}
        ],
    )


def fetch_day(day: date = DAY) -> list[Fetched]:
    return list(fetch("demo", "core", day))


def test_rows_are_fetched_from_the_watermark_on(core: psycopg.Connection, declare: Declare) -> None:
    declare_core(declare)
    (first,) = fetch_day()
    assert (first.rows, first.watermark) == (20_000, "2026-06-01 05:33:20")
    (landed,) = landed_files("demo", DAY, {"payments"})
    result = load_file(landed)
    assert (result.rows_read, result.rows_loaded) == (20_000, 20_000)
    core.execute(
        "insert into core.receipts values"
        " (60000, 'F1', '2026-06-30', '2026-06-30 09:00+08', 12.30, '2026-06-02')"
    )
    (second,) = fetch_day()
    assert second.rows == 2  # the row at the watermark itself comes again ...
    files = [each for each in landed_files("demo", DAY, {"payments"}) if each.name == second.file]
    again = load_file(files[0])
    assert (again.rows_loaded, again.rows_unchanged) == (1, 1)  # ... and is unchanged
    with connect("loader") as connection:
        total = connection.execute("select count(*), sum(amount) from raw.payments").fetchone()
        assert total == core.execute("select count(*), sum(amount) from core.receipts").fetchone()


def test_a_query_that_brings_nothing_lands_nothing(core: psycopg.Connection, declare: Declare) -> None:
    declare_core(declare, QUERY.replace("where", "where false and"))
    assert fetch_day() == []
    assert landed_files("demo", DAY, {"payments"}) == []


def test_a_fetch_that_breaks_off_lands_nothing_and_moves_no_watermark(
    core: psycopg.Connection, declare: Declare
) -> None:
    declare_core(declare, QUERY.replace("amount,", "amount / (id - 15000) as amount,"))
    with pytest.raises(UsageError, match="division by zero"):
        fetch_day()
    assert landed_files("demo", DAY, {"payments"}) == []
    declare_core(declare)
    assert fetch_day()[0].rows == 20_000


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"query": "select 1 as x from core.absent"}, "core.absent"),
        ({"watermark": "moved_at"}, "gives no column 'moved_at'"),
        ({"start": None}, "`:watermark` has no first value"),
        ({"query": "delete from core.receipts"}, "must be a select"),
    ],
)
@pytest.mark.usefixtures("core")
def test_a_faulty_query_is_told(declare: Declare, change: dict[str, str], problem: str) -> None:
    declare_core(declare, **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=problem):
        fetch_day()


def test_a_dead_database_is_told_without_its_password(
    home: object, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORE_URL", "postgresql://reader:topsecret@127.0.0.1:1/core")
    declare_core(declare)
    with pytest.raises(ServiceUnreachableError, match="place core does not answer") as refused:
        fetch_day()
    assert "topsecret" not in str(refused.value)
