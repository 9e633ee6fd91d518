"""A book of 50,000 customers whose true PD is known: rank order, calibration, and what the gates refuse."""

from __future__ import annotations

import pytest

from benchmarks.scorecard_truth import KnownBook, compare, drivers_book, refused


@pytest.fixture(scope="module")
def book() -> KnownBook:
    return drivers_book(50_000)


def test_the_score_ranks_customers_nearly_as_the_drivers_themselves_would(book: KnownBook) -> None:
    found = compare(book, "woe_logistic")
    assert found["oracle"] > 0.99
    assert found["ratio"] >= 0.9
    assert found["grades"] >= 9
    assert found["grades_inside"] >= found["grades"] - 1, found["by_grade"]


def test_a_planted_leak_and_a_flipped_sign_are_refused_and_nothing_else() -> None:
    assert refused(drivers_book(10_000)) == {"as_it_is": [], "leak": ["no_leakage"], "flipped_sign": ["sign"]}
