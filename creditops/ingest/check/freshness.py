"""Whether the sources of a book still come as often as their contracts say (``freshness_days``).

Only sources that the book has delivered before are expected again. What is late is no error of a run:
it is noted in ``ops.freshness``, logged, shown by ``creditops status``, and people are alerted once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import get_args

from creditops.alerts import Alert, raise_alerts
from creditops.books import zone
from creditops.sources.contract import Domain, load_contracts
from creditops.warehouse.connection import connect

AT_REST_DAYS = 366
"""A book to which nothing has been delivered for so long is history, and nothing is expected of it."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Freshness:
    """Age of a source's newest delivery on a day."""

    source: str
    last_delivery: date
    age_days: int
    limit_days: int

    @property
    def stale(self) -> bool:
        """Whether a delivery is overdue."""
        return self.age_days > self.limit_days

    def sentence(self) -> str:
        """The age in one line."""
        return (
            f"{self.source}: last delivered {self.last_delivery}, {self.age_days} days before;"
            f" its contract expects one every {self.limit_days} days"
        )


def check_freshness(book: str, as_of: date, domain: Domain) -> list[Freshness]:
    """Note the ages of one domain's sources as of a day; overdue ones are logged as warnings."""
    limits = {
        name: contract.freshness_days
        for name, contract in load_contracts(book).items()
        if contract.domain == domain and contract.freshness_days is not None
    }
    with connect("loader") as connection:
        last = connection.execute(
            "select source, max(delivery_date) from ops.load_ledger where book = %s and delivery_date <= %s"
            " and status in ('loaded', 'repeat') and withdrawn_by is null and source = any(%s)"
            " group by source order by source",
            (book, as_of, list(limits)),
        ).fetchall()
        found = [Freshness(source, day, (as_of - day).days, limits[source]) for source, day in last]
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into ops.freshness"
                " (book, as_of_date, source, last_delivery, age_days, limit_days, stale)"
                " values (%s, %s, %s, %s, %s, %s, %s) on conflict (book, as_of_date, source) do update set"
                " last_delivery = excluded.last_delivery, age_days = excluded.age_days,"
                " limit_days = excluded.limit_days, stale = excluded.stale, checked_at = clock_timestamp()",
                [
                    (book, as_of, each.source, each.last_delivery, each.age_days, each.limit_days, each.stale)
                    for each in found
                ],
            )
    for each in found:
        if each.stale:
            _log.warning("book %s, %s", book, each.sentence())
    return found


def alert_to_overdue(book: str, as_of: date, ages: Iterable[Freshness]) -> int:
    """Alert people to sources that are overdue, once per gap; returns how many alerts are new.

    A run for a past day is silent about a source that has been delivered since.
    """
    stale = {each.source: each for each in ages if each.stale}
    with connect("loader") as connection:
        since = connection.execute(
            "select distinct source from ops.load_ledger where book = %s and delivery_date > %s"
            " and status in ('loaded', 'repeat') and withdrawn_by is null and source = any(%s)",
            (book, as_of, list(stale)),
        ).fetchall()
    for (source,) in since:
        del stale[source]
    alerts = [
        Alert("overdue_source", f"{each.source} since {each.last_delivery}", f"{as_of}: {each.sentence()}")
        for each in stale.values()
    ]
    return raise_alerts(book, as_of, alerts, role="loader")


def watch(now: datetime) -> int:
    """Check every book that is still fed, as of today, and alert; returns how many sources are overdue.

    An ingest run looks at its own day only: where none is started any more, this notices it.
    """
    with connect("loader") as connection:
        books = connection.execute(
            "select book, max(delivery_date) from ops.load_ledger where status in ('loaded', 'repeat')"
            " group by book order by book"
        ).fetchall()
    overdue = 0
    for book, newest in books:
        today = now.astimezone(zone(book)).date()
        if (today - newest).days > AT_REST_DAYS:
            continue
        ages = [age for domain in get_args(Domain) for age in check_freshness(book, today, domain)]
        alert_to_overdue(book, today, ages)
        overdue += sum(age.stale for age in ages)
    return overdue
