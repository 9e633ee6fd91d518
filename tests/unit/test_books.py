"""Books, days and partitions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from creditops.books import Partition, check_book, end_of_day, parse_day, today
from creditops.errors import UsageError
from creditops.ingest.land.landing import delivery_folder
from creditops.runner import dags_of, month_ends


def test_the_end_of_a_day_is_its_last_microsecond_in_the_books_calendar() -> None:
    assert end_of_day("demo", date(2026, 6, 30)) == datetime(2026, 6, 30, 15, 59, 59, 999999, tzinfo=UTC)


def test_a_partition_key_names_book_and_day() -> None:
    partition = Partition("demo", date(2026, 6, 30))
    assert partition.key == "demo|2026-06-30"
    assert Partition.parse(partition.key) == partition


@pytest.mark.parametrize(
    "key",
    [
        *(None, "", "demo", "demo|", "demo|30/06/2026", "De mo|2026-06-30", "demo|2026-06-30 "),
        *("demo|20260630", "demo|2026-W27-2", "demo|2026W272", "demo|２０２６-06-30", "demo|2026-02-30"),
    ],
)
def test_a_wrong_partition_key_is_refused(key: str | None) -> None:
    with pytest.raises(UsageError):
        Partition.parse(key)


@pytest.mark.parametrize("book", ["Demo", "1demo", "demo;drop", "", "demo-1"])
def test_a_book_name_is_safe_in_paths_and_statements(book: str) -> None:
    with pytest.raises(UsageError, match="no book name"):
        check_book(book)


def test_a_day_is_written_year_first() -> None:
    assert parse_day("2026-06-30") == date(2026, 6, 30)
    with pytest.raises(UsageError, match="YYYY-MM-DD"):
        parse_day("30/06/2026")


def test_month_ends_include_leap_days_and_both_bounds() -> None:
    found = month_ends(date(2024, 1, 31), date(2024, 3, 31))
    assert found == [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)]
    assert month_ends(date(2024, 1, 1), date(2024, 1, 30)) == []


def test_an_unknown_dag_is_named_with_what_there_is() -> None:
    with pytest.raises(UsageError, match="there is no DAG 'publsh'") as refused:
        dags_of("publsh")
    assert "publish" in str(refused.value.hint)


def test_a_day_that_has_not_come_is_no_day_to_run() -> None:
    tomorrow = today("demo") + timedelta(days=1)
    Partition("demo", today("demo"))
    for key in (f"demo|{tomorrow}", "demo|2062-06-30", "demo|9999-12-31"):
        with pytest.raises(UsageError, match="has not come yet"):
            Partition.parse(key)
    with pytest.raises(UsageError, match="has not come yet"):
        delivery_folder("demo", tomorrow)
