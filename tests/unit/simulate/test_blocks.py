"""A book drawn in blocks of customers is one book: keys are unique and every reference finds its row."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
import pytest

from creditops.simulate import EventCounts, Summary, simulate
from creditops.sources.contract import load_contracts
from tests.unit.simulate.simulated_book import SimulatedBook

NOT_SIMULATED = {"characteristics", "outcomes", "bureau_tradeline_months"}
SOURCES = sorted(set(load_contracts()) - NOT_SIMULATED)
WANTED = EventCounts(sales_crash=5, group_contagion=3, partner_fraud=7)


def blocks(folder: Path, **changed: int) -> Summary:
    arguments = {"customers": 1000, "months": 18, "seed": 3, "block_customers": 350} | changed
    return simulate(folder, events=WANTED, **arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> SimulatedBook:
    return SimulatedBook(blocks(tmp_path_factory.mktemp("blocks")))


@pytest.mark.parametrize("source", SOURCES)
def test_keys_are_unique_and_references_find_their_row(book: SimulatedBook, source: str) -> None:
    contract, frame = load_contracts()[source], book[source]
    assert frame.height == book.summary.rows[source] > 0
    assert frame.select(contract.key).is_duplicated().sum() == 0
    for relationship in contract.relationships:
        known = book[relationship.to].select(relationship.to_columns).unique()
        rows = frame.select(relationship.columns).drop_nulls()
        ours, theirs = list(relationship.columns), list(relationship.to_columns)
        assert rows.join(known, left_on=ours, right_on=theirs, how="anti").is_empty(), relationship


def test_all_customers_are_there_and_numbered_through(book: SimulatedBook) -> None:
    ids = book["customers"]["customer_id"].unique().sort()
    assert ids.to_list() == [f"C{number:07d}" for number in range(1, 1001)]


def test_truth_belongs_to_the_customers_of_its_block(book: SimulatedBook) -> None:
    owner = book["facilities"].unique("facility_id").select("facility_id", "customer_id")
    for name in ("truth/facility_month", "truth/default_dates"):
        pairs = book[name].select("facility_id", "customer_id").unique()
        assert pairs.join(owner, on=["facility_id", "customer_id"], how="anti").is_empty()


def test_events_are_spread_over_blocks_and_one_partner_commits_the_fraud(book: SimulatedBook) -> None:
    events = book["truth/injected_events"]
    assert events["event_id"].n_unique() == events.height
    counts = dict(events.group_by("kind").len().iter_rows())
    assert counts["sales_crash"] == 5
    assert 1 <= counts["group_contagion"] <= 3  # a small block may hold no group that owes
    fraud = events.filter(pl.col("kind") == "partner_fraud")
    assert fraud["partner_id"].n_unique() == fraud["event_date"].n_unique() == 1
    assert fraud["customers_hit"].sum() == 7


def test_the_same_seed_gives_the_same_bytes(
    book: SimulatedBook, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = SimulatedBook(blocks(tmp_path_factory.mktemp("again")))
    for name, path in again.summary.paths.items():
        assert _digest(path) == _digest(book.summary.paths[name]), name


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
