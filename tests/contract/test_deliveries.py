"""What an ingest run says of its deliveries: rows per file, overdue sources, pages of the gate."""

from __future__ import annotations

import logging
import os
import re
import uuid
from collections.abc import Iterable
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from creditops import chain
from creditops.books import Partition
from creditops.cli.services import state
from creditops.errors import DataRefusedError
from creditops.ingest.check.freshness import check_freshness
from creditops.ingest.land.landing import land
from creditops.quality.data_docs import KEPT, site_folder
from creditops.warehouse.connection import connect

DAY = date(2026, 6, 30)
SERIES = "series_id,industry,period,value,published_on\n"


@pytest.fixture
def delivered(module_warehouse: str, tmp_path: Path) -> Partition:
    """A book of its own that delivered one good row and one bad one in a hundred."""
    book = f"b{uuid.uuid4().hex[:10]}"
    path = tmp_path / "industry_series.csv"
    rows = [f"S{n},,2025-{n % 12 + 1:02d}-28,{n},2026-01-{n % 28 + 1:02d}" for n in range(150)]
    path.write_text(SERIES + "\n".join([*rows, "PMI,,2026-13-01,1,2026-06-01"]) + "\n", encoding="utf-8")
    land(book, [path], DAY)
    (path.parent / "industry_series.csv").unlink()
    return Partition(book, DAY)


def test_an_ingest_run_counts_every_file(delivered: Partition, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        outcome = chain.run_step("ingest_reference", delivered.key)
    (line,) = outcome["loads"]
    assert line["source"] == "industry_series"
    assert (line["rows_read"], line["rows_quarantined"]) == (151, 1)
    assert line["rows_read"] == line["rows_loaded"] + line["rows_unchanged"] + line["rows_quarantined"]
    assert outcome["rows_read"] == 151
    assert outcome["stale"] == []
    assert f"{delivered.book}/2026-06-30/industry_series.csv: status loaded, rows_read 151" in caplog.text


def test_a_day_without_delivery_names_what_is_overdue(
    delivered: Partition, caplog: pytest.LogCaptureFixture
) -> None:
    chain.run_step("ingest_reference", delivered.key)
    october = Partition(delivered.book, date(2026, 10, 31))
    outcome = chain.run_step("ingest_reference", october.key)
    assert outcome["files"] == 0
    (sentence,) = outcome["stale"]
    assert sentence == (
        "industry_series: last delivered 2026-06-30, 123 days before; its contract expects one every 100 days"
    )
    assert sentence in caplog.text
    shown = [row for row in state()["stale"] if row["book"] == delivered.book]
    assert [(row["source"], row["age_days"]) for row in shown] == [("industry_series", 123)]
    assert check_freshness(delivered.book, date(2026, 9, 30), "reference")[0].stale is False


def test_a_source_that_a_book_never_delivered_is_not_expected(delivered: Partition) -> None:
    chain.run_step("ingest_reference", delivered.key)
    assert [each.source for each in check_freshness(delivered.book, DAY, "reference")] == ["industry_series"]
    assert check_freshness(delivered.book, DAY, "repayment") == []


def test_the_gate_leaves_pages_and_names_them_when_it_stops_the_line(delivered: Partition) -> None:
    chain.run_step("ingest_reference", delivered.key)
    for n in range(KEPT + 2):
        site_folder(
            delivered.book, "raw", date(2020, 1, 1).replace(year=2000 + n % 20, month=n // 20 + 1)
        ).mkdir(parents=True)
    outcome = chain.run_step("gate_raw", delivered.key)
    page = Path(urlsplit(outcome["data_docs"]).path)
    assert "industry_series" in page.read_text(encoding="utf-8")
    assert len(list(page.parent.parent.iterdir())) == KEPT
    results = [each.read_text(encoding="utf-8") for each in page.parent.rglob("validations/**/*.html")]
    assert any("columns keep their contract" in each or "rows" in each for each in results)
    assert _fetched_by(page.parent.rglob("*.html")) <= set(page.parent.rglob("*"))
    with connect("owner") as connection:
        connection.execute(
            "update raw.industry_series set published_on = '1980-01-01' where ctid in"
            " (select ctid from raw.industry_series where book = %s limit 1)",
            (delivered.book,),
        )
    with pytest.raises(DataRefusedError, match="columns keep their contract failed on 1 of 150") as stopped:
        chain.run_step("gate_raw", delivered.key)
    assert page.as_uri() in str(stopped.value.hint)


class _Fetched(HTMLParser):
    """What a browser fetches to show a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.places: set[Path] = set()
        self._page = page
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(\s*.?https?:", text), page
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        place = found.get("href") if tag == "link" else found.get("src")
        if place and not place.startswith("data:"):
            self.places.add(Path(os.path.normpath(self._page.parent / place.partition("?")[0])))


def _fetched_by(pages: Iterable[Path]) -> set[Path]:
    return {place for page in pages for place in _Fetched(page).places}
