"""The truth about settlement equals docs/domain.md worked out by a slow, plain oracle."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from creditops.simulate.truth.settlement_truth import Ledger, Spells, fifo_spells, named_spells
from tests.unit.simulate.settlement_oracle import Facility, Item, Payment
from tests.unit.simulate.simulated_book import SimulatedBook

EPOCH = date(1970, 1, 1)
NOBODY = np.zeros(0, dtype=np.int64)
HALF_A_YEAR = 181


def day_number(day: date) -> int:
    return (day - EPOCH).days


def ledger_of(facility: Facility) -> Ledger:
    disputed = [(n, item.dispute) for n, item in enumerate(facility.items) if item.dispute]
    payments = sorted(facility.payments, key=lambda payment: payment.day)
    return Ledger(
        item_facility=np.zeros(len(facility.items), dtype=np.int64),
        item_due=np.array([item.due for item in facility.items], dtype=np.int64),
        item_amount=np.array([item.amount for item in facility.items], dtype=np.int64),
        payment_facility=np.zeros(len(payments), dtype=np.int64),
        payment_item=np.array([-1 if p.item is None else p.item for p in payments], dtype=np.int64),
        payment_day=np.array([payment.day for payment in payments], dtype=np.int64),
        payment_amount=np.array([payment.amount for payment in payments], dtype=np.int64),
        dispute_item=np.array([n for n, _ in disputed], dtype=np.int64),
        dispute_from=np.array([span[0] for _, span in disputed], dtype=np.int64),
        dispute_to=np.array([span[1] for _, span in disputed], dtype=np.int64),
    )


def dpd(spells: Spells, day: int) -> tuple[int, int]:
    at = spells.at(np.array([0]), np.array([day]))
    return max(0, day - int(spells.oldest[at][0])), max(0, day - int(spells.oldest_undisputed[at][0]))


@pytest.mark.parametrize(
    ("on", "days", "overdue"),
    [
        (date(2026, 3, 9), 37, 140_00),
        (date(2026, 3, 10), 10, 80_00),
        (date(2026, 4, 1), 32, 180_00),
        (date(2026, 4, 20), 0, 0),
    ],
)
def test_worked_example_of_the_domain(on: date, days: int, overdue: int) -> None:
    facility = Facility(
        items=[Item(day_number(date(2026, *due)), 100_00) for due in ((1, 31), (2, 28), (3, 31))],
        payments=[
            Payment(day_number(date(2026, *paid)), amount)
            for paid, amount in (((2, 5), 60_00), ((3, 10), 60_00), ((4, 20), 180_00))
        ],
    )
    spells = fifo_spells(ledger_of(facility), np.array([0]), np.array([day_number(date(2026, 1, 1))]))
    assert dpd(spells, day_number(on))[0] == days
    assert facility.state(day_number(on)) == (days, days, overdue)


amounts = st.integers(2, 300)
plain_facilities = st.builds(
    Facility,
    items=st.lists(st.builds(Item, due=st.integers(0, 200), amount=amounts), min_size=1, max_size=7).map(
        lambda items: sorted(items, key=lambda item: item.due)
    ),
    payments=st.lists(st.builds(Payment, day=st.integers(0, 230), amount=st.integers(-150, 400)), max_size=9),
)


@settings(max_examples=150, deadline=None)
@given(facility=plain_facilities)
def test_oldest_first_settlement_equals_the_oracle_on_every_day(facility: Facility) -> None:
    spells = fifo_spells(ledger_of(facility), np.array([0]), np.array([0]))
    for day in range(0, 240, 7):
        assert dpd(spells, day)[0] == facility.state(day)[0]


@settings(max_examples=100, deadline=None)
@given(facility=plain_facilities, data=st.data())
def test_named_settlement_equals_the_oracle_on_every_day(facility: Facility, data: st.DataObject) -> None:
    positions = st.none() | st.integers(0, len(facility.items) - 1)
    for payment in facility.payments:
        payment.item = data.draw(positions)
    for item in facility.items:
        begin = data.draw(st.integers(0, 220))
        item.dispute = data.draw(st.none() | st.just((begin, begin + 40)))
    spells = named_spells(ledger_of(facility), np.array([0]), np.array([0]), NOBODY)
    for day in range(0, 240, 7):
        assert dpd(spells, day) == facility.state(day)[:2]


def read_facility(book: SimulatedBook, facility_id: str, kind: str) -> Facility:
    """One facility from the source files alone."""
    items = book.of_facility("due_items", facility_id).sort("due_date", "due_item_id")
    place = {name: n for n, name in enumerate(items["due_item_id"].to_list())}
    spans = {
        row["due_item_id"]: (day_number(row["opened_on"]), day_number(row["closed_on"] or date(2999, 1, 1)))
        for row in book["disputes"].iter_rows(named=True)
        if row["due_item_id"] in place
    }
    return Facility(
        items=[
            Item(day_number(row["due_date"]), round(row["amount_due"] * 100), spans.get(row["due_item_id"]))
            for row in items.iter_rows(named=True)
        ],
        payments=[
            Payment(
                day_number(row["value_date"]),
                round(row["amount"] * 100),
                place[row["due_item_id"]] if kind == "trade" and row["due_item_id"] else None,
            )
            for row in book.of_facility("payments", facility_id).iter_rows(named=True)
        ],
    )


@pytest.mark.parametrize("segment", ["retail", "corporate", "trade"])
def test_month_ends_equal_the_oracle(book: SimulatedBook, segment: str) -> None:
    chosen = book.opened().filter(pl.col("segment") == segment)["facility_id"].to_list()
    troubled = (
        book["truth/facility_month"].filter(pl.col("dpd") > 0)["facility_id"].unique(maintain_order=True)
    )
    late = [name for name in troubled.to_list() if name in set(chosen)]
    disputed = (
        book["disputes"].join(book["due_items"], on="due_item_id")["facility_id"].unique(maintain_order=True)
    )
    step = {"retail": 60, "corporate": 15, "trade": 25}[segment]
    sample = dict.fromkeys(
        [*chosen[::step], *late[::step], *(disputed.to_list()[::12] if segment == "trade" else [])]
    )
    for facility_id in sample:
        facility = read_facility(book, facility_id, segment)
        rows = book.of_facility("truth/facility_month", facility_id)
        for row in rows.iter_rows(named=True):
            found = (row["dpd"], row["dpd_undisputed"], round(row["overdue_amount"] * 100))
            late, undisputed, overdue = facility.state(day_number(row["month_end"]))
            overdue = 0 if row["status"] == "written_off" else overdue
            assert found == (late, undisputed, overdue), (facility_id, row["month_end"])


def test_default_and_cure_dates_equal_the_oracle_day_by_day(book: SimulatedBook) -> None:
    kinds = dict(book.opened().select("facility_id", "segment").iter_rows())
    restructured = set(book["facilities"].filter(pl.col("status") == "restructured")["facility_id"])
    defaults, cures = book["truth/default_dates"], book["truth/cure_dates"]
    cured = [name for name in cures["facility_id"].to_list() if name not in restructured]
    others = [name for name in defaults["facility_id"].to_list() if name not in restructured]
    last = (
        book["truth/facility_month"]
        .group_by("facility_id")
        .agg(pl.col("month_end").max(), pl.col("status").last())
    )
    ends = {name: (day, status) for name, day, status in last.iter_rows()}
    closed = dict(book["facilities"].drop_nulls("closed_on").select("facility_id", "closed_on").iter_rows())
    # What the customer's other claims add to a cure is looked at in the warehouse.
    holders = dict(book.opened().select("facility_id", "customer_id").iter_rows())
    struck = [holders[name] for name in dict.fromkeys(defaults["facility_id"].to_list())]
    alone = {name for name, holder in holders.items() if struck.count(holder) == 1}
    chosen = [name for name in dict.fromkeys([*cured[:24:2], *others[::60]]) if name in alone]
    assert len(chosen) > 5
    for facility_id in chosen:
        facility = read_facility(book, facility_id, kinds[facility_id])
        begin = min(item.due for item in facility.items)
        end = day_number(closed.get(facility_id, ends[facility_id][0]))
        mine = pl.col("facility_id") == facility_id
        found_cures = dict(cures.filter(mine).select("episode", "cure_date").iter_rows())
        found = [
            (day_number(day), day_number(found_cures[n]) if n in found_cures else -1)
            for n, day in defaults.filter(mine).select("episode", "default_date").iter_rows()
        ]
        items = book.of_facility("due_items", facility_id).filter(pl.col("kind") == "instalment")
        instalments = [day_number(day) for day in items["due_date"]]
        assert found == facility.default_and_cure(begin, end, instalments), facility_id


def test_a_cure_takes_half_a_year_and_a_year_after_restructuring(book: SimulatedBook) -> None:
    restructured = set(book["facilities"].filter(pl.col("status") == "restructured")["facility_id"])
    both = book["truth/cure_dates"].join(book["truth/default_dates"], on=["facility_id", "episode"])
    days = both.select(
        "facility_id", (pl.col("cure_date") - pl.col("default_date")).dt.total_days().alias("days")
    )
    assert restructured
    assert days.height > 20
    assert days["days"].min() >= HALF_A_YEAR
    slow = days.filter(pl.col("facility_id").is_in(list(restructured)))
    assert slow.height == 0 or slow["days"].min() >= timedelta(days=365).days


def test_default_flag_runs_from_the_default_date_to_the_day_before_the_cure(book: SimulatedBook) -> None:
    episodes = book["truth/default_dates"].join(
        book["truth/cure_dates"].select("facility_id", "episode", "cure_date"),
        on=["facility_id", "episode"],
        how="left",
    )
    flagged = (
        book["truth/facility_month"]
        .join(episodes, on="facility_id", how="left")
        .with_columns(
            (
                (pl.col("default_date") <= pl.col("month_end"))
                & (pl.col("cure_date").is_null() | (pl.col("month_end") < pl.col("cure_date")))
            )
            .fill_null(False)
            .alias("expected")
        )
        .group_by("facility_id", "month_end")
        .agg(pl.col("is_default").first(), pl.col("expected").any())
    )
    assert (flagged["is_default"] == flagged["expected"]).all()
