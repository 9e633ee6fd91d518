"""A wrong load is taken back: as if never known from now on; what was known then remains (docs/domain.md)."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from creditops.books import Partition
from creditops.errors import UsageError
from creditops.ingest import quarantine, steps
from creditops.ingest.write.ledger import LoadResult
from creditops.ingest.write.withdrawal import withdraw
from creditops.warehouse.connection import connect
from tests.ingest.files import DAY, deliver, select

REASON = "the file of another branch"


def partners(**names: str) -> list[dict[str, str]]:
    return [
        {"partner_id": key, "name": name, "channel": "online", "effective_date": "2025-01-01"}
        for key, name in names.items()
    ]


def bring(folder: Path, book: str, day: date, name: str, **names: str) -> LoadResult:
    return deliver(folder, "partners", partners(**names), day=day, name=f"partners.{name}.csv", book=book)


def known(book: str, at: date | None = None) -> dict[str, str]:
    """Partners as known at the end of a day; by default as known now."""
    rows = select(
        "select distinct on (partner_id, effective_date) partner_id, name, _deleted from raw.partners"
        " where book = %s and (%s::date is null"
        "  or loaded_at < (%s::date + 1)::timestamp at time zone 'Asia/Shanghai')"
        " order by partner_id, effective_date, loaded_at desc, _batch_id desc",
        book,
        at,
        at,
    )
    return {key: name for key, name, deleted in rows if not deleted}


def publish(book: str, day: date) -> None:
    with connect("owner") as connection:
        connection.execute(
            "insert into ops.publication_history (publication_id, book, as_of_date, known_at, published_at,"
            " status, code_version, models) values (%s, %s, %s, now(), now(), 'published', '1', '[]')",
            (f"{book}-{day}", book, day),
        )


@pytest.fixture(autouse=True)
def _warehouse(module_warehouse: str) -> None:
    """Each test has a book of its own."""


def test_before_anything_is_published_it_is_as_if_it_had_never_come(tmp_path: Path) -> None:
    bring(tmp_path, "early", DAY, "right", A="Alpha", B="Beta")
    wrong = bring(tmp_path, "early", DAY + timedelta(1), "wrong", A="Aleph", C="Gimel")
    taken = withdraw(wrong.batch_id, reason=REASON, actor="ops")
    assert (taken.status, taken.rows_read, taken.rows_loaded, taken.rows_deleted) == ("withdrawal", 2, 2, 1)
    for day in (DAY, DAY + timedelta(1), None):
        assert known("early", day) == {"A": "Alpha", "B": "Beta"}
    assert select(
        "select actor, object, reason from ops.audit where action = 'ledger.withdrawn' and object = %s",
        f"batch {wrong.batch_id}",
    ) == [("ops", f"batch {wrong.batch_id}", REASON)]
    assert select("select count(*) from ops.load_unreconciled where book = 'early'") == [(0,)]


def test_what_was_published_stays_as_known_then(tmp_path: Path) -> None:
    bring(tmp_path, "late", DAY, "right", A="Alpha")
    wrong = bring(tmp_path, "late", DAY + timedelta(1), "wrong", A="Aleph", C="Gimel")
    publish("late", DAY + timedelta(1))
    withdraw(wrong.batch_id, reason=REASON, actor="ops")
    assert known("late", DAY + timedelta(1)) == {"A": "Aleph", "C": "Gimel"}
    assert known("late") == {"A": "Alpha"}


def test_a_run_does_not_load_it_again_but_whoever_lands_it_again_does(tmp_path: Path) -> None:
    first = bring(tmp_path, "again", DAY, "a", A="Alpha")
    taken = withdraw(first.batch_id, reason=REASON, actor="ops")
    outcome = steps.ingest(Partition("again", DAY), "reference")
    assert [line["status"] for line in outcome["loads"]] == ["not_taken"]
    assert known("again") == {}
    assert select("select message from ops.load_ledger where book = 'again' and status = 'not_taken'") == [
        (f"it was withdrawn by batch {taken.batch_id}; ingest it again to load it",)
    ]
    second = bring(tmp_path, "again", DAY, "a", A="Alpha")
    assert (second.status, second.rows_loaded) == ("loaded", 1)
    assert known("again") == {"A": "Alpha"}


def test_what_a_later_file_repeated_is_still_known(tmp_path: Path) -> None:
    """It left no row of its own, because the withdrawn one said the same."""
    bring(tmp_path, "later", DAY, "a", A="Alpha")
    wrong = bring(tmp_path, "later", DAY + timedelta(1), "b", A="Aleph", B="Beta")
    assert bring(tmp_path, "later", DAY + timedelta(2), "c", A="Aleph").rows_unchanged == 1
    withdraw(wrong.batch_id, reason=REASON, actor="ops")
    assert known("later", DAY + timedelta(1)) == {"A": "Alpha"}
    assert known("later") == {"A": "Aleph"}


def test_two_wrong_loads_are_taken_back_in_any_order(tmp_path: Path) -> None:
    for book, order in (("newer_first", (1, 0)), ("older_first", (0, 1))):
        bring(tmp_path, book, DAY, "a", A="Alpha")
        wrong = [
            bring(tmp_path, book, DAY + timedelta(1), "b", A="Aleph", B="Bet"),
            bring(tmp_path, book, DAY + timedelta(2), "c", A="Alif", B="Ba"),
        ]
        for number in order:
            withdraw(wrong[number].batch_id, reason=REASON, actor="ops")
        assert known(book) == {"A": "Alpha"}
        assert known(book, DAY + timedelta(1)) == {"A": "Alpha"}


def test_its_rows_in_quarantine_are_given_up(tmp_path: Path) -> None:
    rows = [*partners(**{f"P{n}": "Name" for n in range(200)}), {"partner_id": "X", "name": "No day"}]
    wrong = deliver(tmp_path, "partners", rows, book="bad")
    assert len(quarantine.open_rows("bad")) == 1
    withdraw(wrong.batch_id, reason=REASON, actor="ops")
    assert quarantine.open_rows("bad") == []
    assert known("bad") == {}


def test_only_a_load_that_stands_can_be_taken_back(tmp_path: Path) -> None:
    first = bring(tmp_path, "once", DAY, "a", A="Alpha")
    taken = withdraw(first.batch_id, reason=REASON, actor="ops")
    with pytest.raises(UsageError, match=f"withdrawn already, by batch {taken.batch_id}"):
        withdraw(first.batch_id, reason=REASON, actor="ops")
    with pytest.raises(UsageError, match="is withdrawal"):
        withdraw(taken.batch_id, reason=REASON, actor="ops")
    with pytest.raises(UsageError, match="there is no batch 999999"):
        withdraw(999999, reason=REASON, actor="ops")
    with pytest.raises(UsageError, match="needs a reason"):
        withdraw(first.batch_id, reason=" ", actor="ops")
