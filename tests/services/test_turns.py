"""Turns of a book: one day at a time, other books beside it, and nobody waits for the dead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import psycopg
import pytest

from creditops import turns
from creditops.books import Partition
from creditops.warehouse.connection import connect

MAY, JUNE, JULY = (Partition("demo", date(2026, month, 28)) for month in (5, 6, 7))
OTHER = Partition("other", date(2026, 6, 28))
pytestmark = pytest.mark.usefixtures("warehouse")


def works(partition: Partition, *, over: bool = False) -> bool:
    """Whether a step of the day gets to work."""
    try:
        with turns.hold(partition, "build_warehouse/later", "build_marts", lambda run: over):
            return True
    except turns.NotYet:
        return False


@contextmanager
def at_work(partition: Partition) -> Iterator[None]:
    with turns.hold(partition, "publish/first", "score"):
        yield


def long_ago() -> None:
    with connect("owner") as connection:
        connection.execute("update ops.book_turn set seen_at = seen_at - interval '61 seconds'")


def test_a_second_day_waits_and_is_told_for_whom_while_other_books_and_the_same_day_go_on() -> None:
    with at_work(JUNE):
        assert works(OTHER)
        with (
            pytest.raises(
                turns.NotYet, match=r"at work on 2026-06-28 \(publish/first, step score.*demo\|2026-07"
            ),
            turns.hold(JULY, "build_warehouse/second", "build_marts"),
        ):
            pass
        assert works(JUNE)
    assert not works(JULY), "the next step of the first day's chain follows within a moment"
    turns.give_back(JUNE)
    assert works(JULY)


def test_a_day_keeps_its_turn_while_its_run_goes_on_and_no_longer() -> None:
    with at_work(JUNE):
        pass
    long_ago()
    assert not works(JULY, over=False)
    assert works(JULY, over=True)
    assert not works(JUNE, over=True), "the turn has passed on"


def test_a_step_that_still_works_is_not_robbed_though_its_run_is_over() -> None:
    with at_work(JUNE):
        long_ago()
        assert not works(JULY, over=True)
    long_ago()
    assert works(JULY, over=True)


def test_a_killed_backend_frees_the_turn() -> None:
    with at_work(JUNE):
        long_ago()
        with connect("owner") as connection:
            killed = connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where application_name = 'creditops demo|2026-06-28 score'"
            ).fetchall()
        assert killed == [(True,)]
        assert works(JULY, over=True)


def test_of_two_that_wait_the_earlier_day_goes_first() -> None:
    with at_work(JUNE):
        assert not works(JULY)
        assert not works(MAY)
    turns.give_back(JUNE)
    assert not works(JULY)
    assert works(MAY)


def test_readers_cannot_take_a_turn() -> None:
    for role in ("bi_reader", "loader", "builder", "modeller"):
        with connect(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from ops.book_turn")
