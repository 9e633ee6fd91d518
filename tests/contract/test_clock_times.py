"""What clock times mean in a book's time zone (docs/domain.md), in a file of any company."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import psycopg
import pytest
from jinja2 import Template

from creditops.books import end_of_day
from creditops.ingest.check.validation import Validated, validate
from creditops.reading.book_time import day_ends
from creditops.reading.reader import LINE
from creditops.settings import PROJECT_ROOT, get_settings
from creditops.sources.contract import Contract
from creditops.zone_rules import day_end
from tests.contract.clock_times import differing

ZONES = [
    *("Pacific/Auckland", "Australia/Sydney", "Australia/Lord_Howe", "Asia/Beirut", "Africa/Cairo"),
    *("Atlantic/Azores", "America/Asuncion", "America/Nuuk", "America/St_Johns", "Asia/Shanghai"),
]
CONTRACT = Contract.model_validate(
    {
        "source": "calls", "domain": "reference", "version": 1, "grain": "one row per call", "key": ["at"],
        "description": {"en": "Calls.", "zh": "通话。"},
        "checks": [{"name": "ends_later", "expression": "ended_on >= at",
                    "message": {"en": "It ends before it begins.", "zh": "结束早于开始。"}}],
        "columns": [
            {"name": "at", "type": "ts", "required": True, "description": {"en": "Begin.", "zh": "开始。"}},
            {"name": "ended_on", "type": "date", "description": {"en": "End.", "zh": "结束。"}},
        ],
    }
)  # fmt: skip


def checked(zone: str, *cells: str, ended: str | None = None) -> Validated:
    batch = pl.DataFrame({LINE: range(2, len(cells) + 2), "at": cells, "ended_on": [ended] * len(cells)})
    return validate(batch.with_columns(pl.col("ended_on").cast(pl.String)), CONTRACT, zone=zone)


def read(zone: str, *cells: str) -> list[datetime]:
    return checked(zone, *cells).good["at"].to_list()


@pytest.mark.parametrize("zone", ZONES)
def test_every_quarter_of_an_hour_about_a_change_of_the_clocks(zone: str) -> None:
    """Short form of ``tests/soak/test_every_zone.py``."""
    assert differing(zone, range(2008, 2010)) == []
    assert differing(zone, range(2024, 2026)) == []


def test_a_time_before_the_clocks_change_is_read_alone_as_among_others() -> None:
    before, after = datetime(2026, 9, 26, 13, 30, tzinfo=UTC), datetime(2026, 9, 26, 14, 30, tzinfo=UTC)
    assert read("Pacific/Auckland", "2026-09-27 01:30:00") == [before]
    assert read("Pacific/Auckland", "2026-09-27 01:30") == [before]
    assert read("Pacific/Auckland", "2026-09-27 01:30", "2026-09-27T03:30:00", "2026-01-01") == [
        before,
        after,
        datetime(2025, 12, 31, 11, tzinfo=UTC),
    ]


def test_an_hour_that_the_clocks_skip_is_a_fault() -> None:
    (row,) = checked("Pacific/Auckland", "2026-09-27 01:30:00", "2026-09-27 02:30:00").bad
    assert (row.line, row.reasons[0]["value"]) == (3, "2026-09-27 02:30:00")
    assert "at an hour that the book's clocks have" in str(row.reasons[0]["reason"])


def test_a_day_is_over_when_the_clocks_say_so() -> None:
    ends = day_ends(pl.Series([date(2024, 4, 6), date(2024, 4, 7)]), "Pacific/Auckland").to_list()
    assert ends == [datetime(2024, 4, day, hour, 59, 59, 999999, UTC) for day, hour in ((6, 10), (7, 11))]


def test_the_end_of_a_day_follows_the_books_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITOPS_TIMEZONE", "Asia/Beirut")
    get_settings.cache_clear()
    try:  # at midnight the clocks went back to 23:00, so the day has 25 hours
        assert end_of_day("demo", date(2024, 10, 26)) == datetime(2024, 10, 26, 21, 59, 59, 999999, UTC)
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()


@pytest.mark.parametrize(
    ("cell", "utc"),
    [
        ("2026-01-01T10:00+08", datetime(2026, 1, 1, 2)),
        ("2026-01-01T10:00:00+0800", datetime(2026, 1, 1, 2)),
        ("2026-01-01 10:00:00.25Z", datetime(2026, 1, 1, 10, 0, 0, 250_000)),
        ("2026-01-01 24:00:00", datetime(2026, 1, 1, 16)),
        ("2026-01-01", datetime(2025, 12, 31, 16)),
        ("2026-01-01 1２:00:00", None),
        ("２０２６-01-01", None),
        ("2026-01-01 24:00:01", None),
        ("2026-02-30 10:00:00", None),
        ("2026-01-01 10:00:00 ", None),
    ],
)
@pytest.mark.parametrize("company", [[], ["2025-05-05 05:05:05"], ["2025-05-05"], ["2025-05-05T05:05Z"]])
def test_a_cell_is_read_the_same_in_any_company(cell: str, utc: datetime | None, company: list[str]) -> None:
    result = checked("Asia/Shanghai", *company, cell)
    assert [row.line for row in result.bad] == ([] if utc else [len(company) + 2])
    assert result.good["at"].to_list()[len(company) :] == ([utc.replace(tzinfo=UTC)] if utc else [])


def test_a_check_and_a_bound_see_the_books_day() -> None:
    early = "2026-06-30 06:00:00"  # in UTC the day before
    assert len(checked("Asia/Shanghai", early, ended="2026-06-30").good) == 1
    assert len(checked("Asia/Shanghai", early, ended="2026-06-29").bad) == 1


def test_bounds_of_a_time_are_days_of_the_book() -> None:
    bounded = CONTRACT.model_copy(
        update={
            "columns": (CONTRACT.columns[0].model_copy(update={"min": "2026-01-01", "max": "2026-01-02"}),)
        }
    ).model_copy(update={"checks": ()})
    cells = ["2025-12-31 23:59:59.999999", "2026-01-01", "2026-01-02 23:59:59.999999", "2026-01-03"]
    batch = pl.DataFrame({LINE: range(4), "at": cells})
    assert validate(batch, bounded, zone="Asia/Shanghai").good[LINE].to_list() == [1, 2]


@pytest.mark.parametrize("zone", ZONES)
def test_the_warehouse_ends_a_day_as_the_loader_does(postgres_server: str, zone: str) -> None:
    text = (PROJECT_ROOT / "dbt_project" / "macros" / "calendar.sql").read_text(encoding="utf-8")
    template = Template(text + "{{ default__end_of_day('day') }}")
    statement = template.render(var=lambda _: zone)
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(730)]
    with psycopg.connect(f"{postgres_server}/postgres") as connection:
        found = connection.execute(
            f"select day, {statement} from unnest(%s::date[]) as days (day)", (days,)
        ).fetchall()
    assert [day for day, end in found if end - timedelta(microseconds=1) != day_end(zone, day)] == []
