"""The report shows what is published, stands alone, and is the same for the same publication."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from creditops.errors import UsageError
from creditops.report import render
from creditops.warehouse import connect
from tests.report.published_book import BOOK, JUNE, MAY, Shape, publish

VOID = {"meta", "rect", "circle", "line", "path", "br"}


@pytest.fixture(scope="module")
def published(module_warehouse: str) -> str:
    """Two publications of the demo book: May's, and June's as the current one."""
    publish(MAY, current=False)
    return publish(JUNE)


class Page(HTMLParser):
    """Reads a page, insists on balanced tags, and keeps its text and its references."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [
            f"{name}={value}" for name, value in attrs if name in ("src", "href", "xlink:href")
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_stands_alone_and_is_whole(published: str, lang: str) -> None:
    path = render(BOOK, lang=lang)  # type: ignore[arg-type]
    page = Page(path)
    assert path.name == f"demo-2026-06-30-{lang}.html"
    assert page.references == []
    assert "script" not in page.tags
    assert not re.search(r"https?:|url\(|@import", path.read_text(encoding="utf-8"))
    assert page.tags.count("svg") >= 7


def test_the_headline_figures_are_the_published_ones(published: str) -> None:
    page = Page(render(BOOK, lang="en"))
    with connect("bi_reader") as connection:
        row = connection.execute(
            "select sum(balance), sum(overdue_balance) / sum(balance), sum(npl_balance) / sum(balance),"
            " sum(new_defaults), sum(expected_loss) from publish.portfolio_monthly"
            " where book = %s and month = %s",
            (BOOK, JUNE),
        ).fetchone()
        assert row is not None
        red, scored = connection.execute(
            "select (select count(*) from publish.early_warnings where severity = 'red'"
            " and status in ('raised', 'acknowledged', 'in_response')),"
            " (select count(distinct customer_id) from publish.customer_scores)"
        ).fetchone()  # type: ignore[misc]
    balance, overdue, npl, defaults, loss = row
    tiles = page.text.split("What to notice")[0]
    for shown in (
        f"{balance / 10**6:.0f}m",
        f"{overdue:.2%}",
        f"{npl:.2%}",
        f" {defaults} ",
        f"{loss / 10**6:.2f}m",
    ):
        assert shown in tiles
    assert f"{scored:,}" in tiles
    assert f"Open warnings {red} " in tiles


def test_rows_of_the_roll_rate_matrix_sum_to_one(published: str) -> None:
    html = render(BOOK, lang="en").read_text(encoding="utf-8")
    matrix = html.split('<table class="heat">')[1].split("</table>")[0]
    rows = [row for row in matrix.split("<tr>") if 'scope="row"' in row]
    assert len(rows) == 8
    for row in rows:
        shares = [float(share) for share in re.findall(r">([\d.]+)%<", row)]
        assert sum(shares) == pytest.approx(100, abs=0.3)


def test_the_model_card_shows_auc_with_its_interval(published: str) -> None:
    text = Page(render(BOOK, lang="en")).text
    assert "AUC on hold-out 0.812 0.792 – 0.833" in text
    assert "Stability of utilisation_avg_6m (CSI) 0.130 watch" in text


def test_failed_checks_of_gate_and_sources_are_listed(published: str) -> None:
    text = Page(render(BOOK, lang="zh")).text
    assert "发布质量门共 4 项，通过 3 项，未通过 1 项。" in text
    assert "balance moves less than half" in text
    assert "dates are not in the future" in text


def test_the_footer_says_where_the_figures_come_from(published: str) -> None:
    text = Page(render(BOOK, lang="en")).text
    for shown in (
        published,
        "Facts as of 2026-06-30",
        "As known at 2026-06-30 15:59:59 UTC",
        "Code version 0.1.0",
    ):
        assert shown in text


def test_the_same_publication_gives_the_same_bytes(published: str) -> None:
    first = render(BOOK, lang="zh").read_bytes()
    assert render(BOOK, JUNE, lang="zh").read_bytes() == first


def test_an_earlier_publication_is_read_from_its_stored_rows(published: str) -> None:
    path = render(BOOK, MAY, lang="en")
    assert path.name == "demo-2026-05-31-en.html"
    assert "Publication demo-2026-05-31-" in Page(path).text


@pytest.mark.parametrize(("book", "day"), [("nobody", None), (BOOK, JUNE.replace(year=2020))])
def test_a_report_of_what_is_not_published_is_refused(published: str, book: str, day: object) -> None:
    with pytest.raises(UsageError, match="no publication"):
        render(book, day)  # type: ignore[arg-type]


def test_vintage_curves_appear_once_they_are_published(warehouse: str) -> None:
    publish(shape=Shape(months=3, customers=20, warnings=2))
    assert "by quarter of origination" not in Page(render(BOOK, lang="en")).text
    with connect("owner") as connection:
        connection.execute("set local session_replication_role = replica")  # past what keeps gated rows
        connection.execute(
            "insert into published.vintages (publication_id, as_of_date, book, origination_month, product_id,"
            " mob, facilities, ever_30_rate) select publication_id, as_of_date, book, origination, 'loan',"
            " mob, 100, 0.01 * mob from ops.publication, generate_series(0, 12) as mob,"
            " (values (date '2025-01-31'), (date '2025-06-30')) as cohort (origination)"
        )
    text = Page(render(BOOK, lang="en")).text
    assert "by quarter of origination" in text
    assert "2025Q1" in text


def test_what_a_rule_wrote_is_shown_and_never_run(warehouse: str) -> None:
    publication_id = publish(shape=Shape(months=3, customers=20, warnings=2))
    with connect("owner") as connection:
        connection.execute(
            "update published.early_warnings set severity = 'red', status = 'raised',"
            " text_en = '<script>alert(1)</script> & more' where publication_id = %s",
            (publication_id,),
        )
    page = Page(render(BOOK, lang="en"))
    assert "script" not in page.tags
    assert "<script>alert(1)</script> & more" in page.text


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_thin_publication_still_gives_a_page(warehouse: str, lang: str) -> None:
    publish(shape=Shape(months=1, customers=1, warnings=0))
    with connect("owner") as connection:
        connection.execute("delete from published.roll_rates")
        connection.execute("delete from published.data_quality")
        connection.execute("update ops.publication set models = '[]', gates = '[]'")
    Page(render(BOOK, lang=lang))  # type: ignore[arg-type]
    with connect("owner") as connection:
        connection.execute("delete from published.portfolio_monthly")
        connection.execute("delete from published.customer_scores")
    Page(render(BOOK, lang=lang))  # type: ignore[arg-type]
