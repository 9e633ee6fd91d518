"""Whether the sources of a book still come as often as their contracts say (``freshness_days``).

Only sources that the book has delivered before are expected again. What is late is no error of a run:
it is noted in ``ops.freshness``, logged and shown by ``creditops status``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

from creditops.sources.contract import Domain, load_contracts
from creditops.warehouse.connection import connect

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
            " and status in ('loaded', 'repeat') and source = any(%s) group by source order by source",
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
