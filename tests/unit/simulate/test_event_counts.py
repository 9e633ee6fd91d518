"""Asked-for numbers of events are injected, each with its customers, its marks and its outcome."""

from __future__ import annotations

import polars as pl
import pytest

from creditops.errors import UsageError
from creditops.simulate import EventCounts, simulate
from creditops.simulate.book.events import parse_counts
from tests.unit.simulate.simulated_book import SimulatedBook

WANTED = EventCounts(sales_crash=20, partner_fraud=40, group_contagion=20, bureau_default_elsewhere=20)


@pytest.fixture(scope="module")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> SimulatedBook:
    return SimulatedBook(
        simulate(tmp_path_factory.mktemp("eventful"), customers=3000, months=36, seed=11, events=WANTED)
    )


def struck(book: SimulatedBook, kind: str) -> pl.DataFrame:
    events = book["truth/injected_events"].select("event_id", "kind", "event_date", "group_id", "partner_id")
    return book["truth/event_customers"].join(events.filter(pl.col("kind") == kind), on="event_id")


def test_as_many_events_as_asked_for_where_the_book_has_room(eventful: SimulatedBook) -> None:
    kinds = dict(eventful["truth/injected_events"].group_by("kind").len().iter_rows())
    assert kinds == {
        "sales_crash": 20,
        "bureau_default_elsewhere": 20,
        "partner_fraud": 1,
        "group_contagion": 20,
    }
    assert struck(eventful, "partner_fraud").height == 40


def test_the_default_of_an_event_is_the_first_of_its_customer_from_then_on(eventful: SimulatedBook) -> None:
    defaults = eventful["truth/default_dates"].select("customer_id", pl.col("default_date").alias("found"))
    events = eventful["truth/injected_events"].select("event_id", "event_date")
    expected = (
        eventful["truth/event_customers"]
        .join(events, on="event_id")
        .join(defaults, on="customer_id", how="left")
        .group_by("event_id", "customer_id", "default_date")
        .agg(pl.col("found").filter(pl.col("found") >= pl.col("event_date")).min())
    )
    assert expected["default_date"].equals(expected["found"])
    assert expected["default_date"].is_not_null().mean() > 0.5


def test_every_member_of_a_struck_group_is_named_once(eventful: SimulatedBook) -> None:
    members = struck(eventful, "group_contagion")
    groups = eventful["customers"].unique("customer_id").select("customer_id", "group_id")
    sizes = groups.join(members.select("group_id").unique(), on="group_id").height
    assert members.height == sizes == members["customer_id"].n_unique()
    assert (members.filter(pl.col("role") == "leader").height, members.null_count()["group_id"][0]) == (20, 0)
    leaders = members.filter(pl.col("role") == "leader")
    assert leaders["default_date"].equals(leaders["event_date"])


def test_a_sales_crash_shows_in_the_vat_invoices_within_a_quarter(eventful: SimulatedBook) -> None:
    sales = eventful["sme_invoices"].filter((pl.col("direction") == "sale") & (pl.col("status") == "valid"))
    crashed = struck(eventful, "sales_crash").join(sales, on="customer_id")
    months = (pl.col("issued_on") - pl.col("event_date")).dt.total_days() // 91
    turn = (
        crashed.with_columns(months.alias("quarter"))
        .group_by("customer_id")
        .agg(
            pl.col("amount").filter(pl.col("quarter") == -1).sum().alias("before"),
            pl.col("amount").filter(pl.col("quarter") == 0).sum().alias("after"),
        )
    )
    assert turn.height >= 8
    assert (turn["after"] < 0.8 * turn["before"]).mean() > 0.75


def test_a_fraudulent_partners_borrowers_miss_their_first_payment(eventful: SimulatedBook) -> None:
    borrowers = struck(eventful, "partner_fraud").select("customer_id", "partner_id")
    loans = eventful.opened().filter(pl.col("product_id").str.starts_with("IL"))
    first = (
        eventful["due_items"]
        .group_by("facility_id")
        .agg(pl.col("due_date", "amount_due").sort_by("due_date").first())
    )
    paid = (
        eventful["payments"]
        .join(first, on="facility_id")
        .filter(pl.col("value_date") <= pl.col("due_date").dt.offset_by("30d"))
        .group_by("facility_id")
        .agg(pl.col("amount").sum().alias("paid"))
    )
    missed = (
        loans.join(first, on="facility_id")
        .join(paid, on="facility_id", how="left")
        .with_columns((pl.col("paid").fill_null(0) < pl.col("amount_due") - 0.01).alias("missed"))
    )
    fraudulent = missed.join(borrowers, on=["customer_id", "partner_id"], how="semi")
    assert fraudulent["customer_id"].n_unique() == 40
    assert fraudulent["missed"].mean() > 0.6
    assert missed["missed"].mean() < 0.15


def test_counts_are_read_from_the_command_line() -> None:
    assert parse_counts(["sales_crash=3", "group_contagion=0"]) == EventCounts(
        sales_crash=3, group_contagion=0
    )
    for wrong in ("sales_crash", "sales_crash=x", "earthquake=1", "sales_crash=-1"):
        with pytest.raises(UsageError):
            parse_counts([wrong])
