"""The files a simulation writes keep the source contracts, and are the same for the same seed."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from creditops.errors import UsageError
from creditops.simulate import Summary, simulate
from creditops.sources.contract import load_contracts
from tests.unit.simulate.simulated_book import SimulatedBook

NOT_SIMULATED = {"characteristics", "outcomes", "bureau_tradeline_months"}
SOURCES = sorted(set(load_contracts()) - NOT_SIMULATED)
LATER = ("disputes.resolved", "statements.restated")
"""What became known later about rows that were delivered before."""
TRUTH = {
    "customer_pd",
    "facility_month",
    "default_dates",
    "cure_dates",
    "injected_events",
    "event_customers",
}


def digests(summary: Summary) -> dict[str, str]:
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in summary.paths.items()}


def test_every_source_is_written_and_truth_is_kept_under_truth_only(book: SimulatedBook) -> None:
    files = {path.relative_to(book.directory).as_posix() for path in book.directory.rglob("*.csv")}
    written = {f"{name}.csv" for name in (*SOURCES, *LATER)}
    assert files == written | {f"truth/{name}.csv" for name in TRUTH}
    hidden = {"pd_12m", "hazard", "strain", "is_default", "downturn", "dpd_undisputed"}
    for name in SOURCES:
        header = (book.directory / f"{name}.csv").read_text().splitlines()[0]
        assert not hidden & set(header.split(",")), name


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_file_keeps_its_contract(book: SimulatedBook, source: str) -> None:
    contract, frame = load_contracts()[source], book[source]
    assert frame.columns == [column.name for column in contract.columns]
    assert frame.height == book.summary.rows[source] > 0
    assert frame.select(contract.key).is_duplicated().sum() == 0
    for column in contract.columns:
        values = frame[column.name]
        if column.required:
            assert values.null_count() == 0, column.name
        present = values.drop_nulls()
        if column.values:
            assert set(present.unique()) <= set(column.values), column.name
        if column.pattern:
            assert present.str.contains(f"^(?:{column.pattern})$").all(), column.name
        low, high = column.min, column.max
        if low is not None and len(present) and column.type in ("money", "rate", "int", "date"):
            bounds = (
                (date.fromisoformat(str(low)), date.fromisoformat(str(high)))
                if column.type == "date"
                else (low, high)
            )
            assert present.is_between(*bounds).all(), column.name
    for check in contract.checks:
        broken = frame.sql(f"select count(*) as n from self where not ({check.expression})")
        assert broken["n"][0] == 0, check.name


def test_a_dispute_is_delivered_open_and_later_as_resolved(book: SimulatedBook) -> None:
    opened = pl.read_csv(book.directory / "disputes.csv", infer_schema=False)
    resolved = book["disputes.resolved"]
    assert opened["closed_on"].null_count() == opened["outcome"].null_count() == opened.height > 0
    assert resolved["closed_on"].null_count() == resolved["outcome"].null_count() == 0
    assert set(resolved["dispute_id"]) < set(opened["dispute_id"])


@pytest.mark.parametrize("source", SOURCES)
def test_every_reference_finds_its_row(book: SimulatedBook, source: str) -> None:
    for relationship in load_contracts()[source].relationships:
        known = book[relationship.to].select(relationship.to_columns).unique()
        rows = book[source].select(relationship.columns).drop_nulls()
        orphans = rows.join(
            known, left_on=list(relationship.columns), right_on=list(relationship.to_columns), how="anti"
        )
        assert orphans.is_empty(), relationship


def test_nothing_but_schedules_and_promises_lies_after_the_as_of_date(book: SimulatedBook) -> None:
    as_of = book.summary.as_of
    for source in SOURCES:
        frame = book[source]
        for name, dtype in frame.schema.items():
            if name in ("due_date", "due_on"):
                continue
            if dtype == pl.Date:
                latest = frame[name].max()
            elif dtype == pl.Datetime:
                latest = frame[name].dt.offset_by("8h").dt.date().max()
            else:
                continue
            assert latest is None or latest <= as_of, (source, name)


def test_same_seed_gives_the_same_bytes_and_another_seed_another_book(tmp_path: Path) -> None:
    seeds = {"a": 3, "b": 3, "c": 4}
    books = {
        name: simulate(tmp_path / name, customers=120, months=18, seed=seed) for name, seed in seeds.items()
    }
    assert digests(books["a"]) == digests(books["b"])
    assert digests(books["a"])["payments"] != digests(books["c"])["payments"]


def test_segments_split_twenty_to_three_to_one(book: SimulatedBook) -> None:
    counts = dict(book.segments().group_by("segment").len().iter_rows())
    assert counts == {"retail": 2000, "corporate": 300, "trade": 100}
    kinds = book["customers"].unique("customer_id").group_by("customer_type").len()
    assert dict(kinds.iter_rows()) == {"retail": 2000, "corporate": 400}


def test_window_ends_on_the_month_end_asked_for(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    summary = simulate(
        tmp_path,
        book="other",
        customers=48,
        months=12,
        seed=1,
        as_of=date(2025, 2, 28),
        progress=lambda name, rows: told.append((name, rows)),
    )
    assert (summary.as_of, summary.book) == (date(2025, 2, 28), "other")
    assert dict(told) == summary.rows
    months = SimulatedBook(summary)["truth/facility_month"]["month_end"]
    assert months.max() == date(2025, 2, 28)


@pytest.mark.parametrize(
    "wrong", [{"customers": 10}, {"months": 6}, {"months": 500}, {"as_of": date(2026, 6, 15)}]
)
def test_arguments_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        simulate(tmp_path, **wrong)  # type: ignore[arg-type]


def test_identity_numbers_fit_the_person_and_carry_their_check_digit(book: SimulatedBook) -> None:
    people = book["customers"].filter(pl.col("customer_type") == "retail")
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    for number, birth, sex in people.select("national_id", "birth_date", "sex").head(200).iter_rows():
        assert number[6:14] == birth.strftime("%Y%m%d")
        assert int(number[16]) % 2 == (sex == "male")
        check = sum(int(digit) * weight for digit, weight in zip(number[:17], weights, strict=True)) % 11
        assert number[17] == "10X98765432"[check]
