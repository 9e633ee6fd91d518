"""Many customers with random histories, against a plain model of docs/domain.md's life of a warning."""

from __future__ import annotations

import random

from creditops.warehouse import connect
from creditops.warnings import evaluate, list_warnings
from tests.warnings.portfolio import BOOK, Portfolio, after

DAYS = 8
CUSTOMERS = 60
RANK = {"yellow": 1, "orange": 2, "red": 3}


def severity(dpd: int) -> str | None:
    return None if dpd == 0 else "red" if dpd > 60 else "orange" if dpd > 30 else "yellow"


def expected(history: list[int]) -> list[tuple[int, str, str]]:
    """(day raised, severity, open or resolved) of every warning that a history of DPD leads to."""
    warnings: list[tuple[int, str, str]] = []
    current: tuple[int, str] | None = None
    off = 0
    for day, dpd in enumerate(history):
        seen = severity(dpd)
        if seen is not None:
            off = 0
            if current is None:
                current = (day, seen)
            elif RANK[seen] > RANK[current[1]]:
                current = (current[0], seen)
        elif current is not None:
            off += 1
            if off == 2:
                warnings.append((*current, "resolved"))
                current, off = None, 0
    return [*warnings, *([(*current, "raised")] if current else [])]


def test_random_histories_lead_to_the_warnings_of_the_plain_model(portfolio: Portfolio) -> None:
    chance = random.Random(11)
    histories = {
        f"c{number}": [chance.choice((0, 0, 0, 10, 40, 70)) for _ in range(DAYS)]
        for number in range(CUSTOMERS)
    }
    for day in range(DAYS):
        with connect("builder") as connection:
            connection.execute("delete from marts.fct_facility_month")
            with connection.cursor() as cursor:
                cursor.executemany(
                    "insert into marts.fct_facility_month (book, facility_id, customer_id, month_end, bucket,"
                    " dpd, is_default, status) values (%s, %s, %s, '2026-06-30', %s, %s, false, 'active')",
                    [(BOOK, f"{c}-1", c, f"M{-(-h[day] // 30)}", h[day]) for c, h in histories.items()],
                )
        for _ in range(chance.choice((1, 2))):
            evaluate(BOOK, after(day))
        with connect("publisher") as connection:
            doubled = connection.execute(
                "select 1 from actions.early_warnings where closed_on is null"
                " group by book, customer_id, rule_id having count(*) > 1"
            ).fetchall()
        assert doubled == []
    found: dict[str, list[tuple[int, str, str]]] = {customer: [] for customer in histories}
    for warning in sorted(list_warnings(BOOK, status="all", limit=10_000), key=lambda w: w.first_seen_on):
        found[warning.customer_id].append(
            ((warning.first_seen_on - after(0)).days, warning.severity, warning.status)
        )
    assert found == {customer: expected(history) for customer, history in histories.items()}
