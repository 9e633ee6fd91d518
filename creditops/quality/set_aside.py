"""Facilities that a build sets aside, because their rows contradict each other.

The conditions are those of the model ``base_quarantined_facility``: what the invariants of the layers above
need of delivered rows. Such a facility is left out with its due items and payments; the rest of the book goes
on, and the number is noted in ``ops.gate_result`` (check ``quarantined_facility``), which is published.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from creditops.errors import DataRefusedError
from creditops.settings import get_settings
from creditops.warehouse.connection import connect

CHECK = "quarantined_facility"
_EXAMPLES = 5
_FEW = 10
"""So many facilities may be set aside in any book, however small."""


@dataclass(frozen=True)
class QuarantinedFacility:
    """One facility and one reason.

    Attributes
    ----------
    reason: ``due_before_opening``, ``ended_before_opening``, ``other_currency``, ``unknown_product`` or
        ``unknown_customer``.
    source, row_key: the row at fault, the first of ``rows_at_fault``.
    detail: the values that contradict each other.
    """

    facility_id: str
    customer_id: str
    reason: str
    source: str
    row_key: str
    detail: str
    rows_at_fault: int

    def sentence(self) -> str:
        """The facility and its fault in one line."""
        named = "" if self.row_key == self.facility_id else f", {self.source} {self.row_key}"
        return f"{self.facility_id}{named}: {self.reason} ({self.detail})"


@dataclass(frozen=True)
class SetAside:
    """What a build set aside, and how many facilities the book has in all."""

    found: Sequence[QuarantinedFacility]
    facilities: int

    @property
    def quarantined(self) -> int:
        """Facilities set aside, each counted once."""
        return len({each.facility_id for each in self.found})

    def sentence(self) -> str:
        """Their number and the first of them, in one line."""
        return (
            f"{self.quarantined} of {self.facilities} facilities are set aside because their rows contradict"
            f" each other, e.g. {self.found[0].sentence()}"
        )

    def refuse_if_too_many(self, book: str) -> None:
        """Refuse the build if the faults are no exception: then the delivery as a whole is wrong.

        Raises
        ------
        DataRefusedError: more than the limit's share are set aside.
        """
        limit = get_settings().quarantined_facility_limit
        if self.quarantined > max(limit * self.facilities, _FEW):
            raise DataRefusedError(
                f"book {book}: {self.sentence()}; that is more than the limit of {limit:.0%}",
                hint="mend the rows at their source and deliver them again (`creditops quarantine facilities`"
                " lists them), or raise CREDITOPS_QUARANTINED_FACILITY_LIMIT",
            )


def read_set_aside(connection: psycopg.Connection, book: str, *, schema_prefix: str = "") -> SetAside:
    """What the last build of a book set aside; nothing where it was never built."""
    aside = sql.Identifier(f"{schema_prefix}staging", "base_quarantined_facility")
    facilities = sql.Identifier(f"{schema_prefix}intermediate", "int_facility")
    built = connection.execute(
        "select to_regclass(%s) is not null and to_regclass(%s) is not null",
        (f"{schema_prefix}staging.base_quarantined_facility", f"{schema_prefix}intermediate.int_facility"),
    ).fetchone()
    if built is None or not built[0]:
        return SetAside([], 0)
    with connection.cursor(row_factory=class_row(QuarantinedFacility)) as cursor:
        cursor.execute(
            sql.SQL(
                "select facility_id, customer_id, reason, source, row_key, detail, rows_at_fault from {}"
                " where book = %s order by facility_id, reason"
            ).format(aside),
            (book,),
        )
        found = cursor.fetchall()
    row = connection.execute(
        sql.SQL("select count(*) from {} where book = %s").format(facilities), (book,)
    ).fetchone()
    assert row is not None
    return SetAside(found, row[0] + len({each.facility_id for each in found}))


def list_set_aside(book: str) -> list[dict[str, Any]]:
    """The facilities that the last build of a book set aside, a row per facility and reason."""
    with connect("builder") as connection:
        return [asdict(each) for each in read_set_aside(connection, book).found]


def note(book: str, as_of: date, aside: SetAside) -> None:
    """Enter what a build set aside among the checks of the day; a check per reason."""
    by_reason: dict[tuple[str, str], list[QuarantinedFacility]] = {}
    for each in aside.found:
        by_reason.setdefault((each.source, each.reason), []).append(each)
    with connect("builder") as connection:
        connection.execute(
            "delete from ops.gate_result where book = %s and as_of_date = %s and gate = 'build'",
            (book, as_of),
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into ops.gate_result (book, as_of_date, gate, source, batch_id, check_name, severity,"
                " rows_checked, rows_failed, passed, examples)"
                " values (%s, %s, 'build', %s, 'book', %s, 'warning', %s, %s, false, %s)",
                [
                    (
                        book,
                        as_of,
                        source,
                        f"{CHECK}: {reason}",
                        aside.facilities,
                        len(found),
                        json.dumps([each.sentence() for each in found[:_EXAMPLES]], ensure_ascii=False),
                    )
                    for (source, reason), found in by_reason.items()
                ],
            )
