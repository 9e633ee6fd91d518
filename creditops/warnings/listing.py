"""Reading warnings and their events, for the command line and its JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from psycopg.rows import class_row, dict_row

from creditops.books import check_book
from creditops.errors import UsageError
from creditops.warehouse.connection import connect
from creditops.warnings import life_cycle
from creditops.warnings.compiler import severity_rank


@dataclass(frozen=True)
class EarlyWarning:
    """A warning as it stands now; columns as in ``actions.early_warnings``."""

    warning_id: str
    customer_id: str
    facility_id: str | None
    rule_id: str
    rule_version: int
    severity: str
    raised_on: date
    last_seen_on: date
    status: str
    evidence: dict[str, Any]
    text_zh: str
    text_en: str
    recommended_response: str
    escalated_on: date | None
    first_seen_on: date
    after_default: bool

    def to_dict(self) -> dict[str, Any]:
        """The warning as JSON-ready values."""
        return {
            **asdict(self),
            "raised_on": self.raised_on.isoformat(),
            "first_seen_on": self.first_seen_on.isoformat(),
            "last_seen_on": self.last_seen_on.isoformat(),
            "escalated_on": self.escalated_on.isoformat() if self.escalated_on else None,
        }


def list_warnings(
    book: str,
    *,
    status: str | None = None,
    severity: str | None = None,
    rule_id: str | None = None,
    customer_id: str | None = None,
    limit: int = 100,
) -> list[EarlyWarning]:
    """Warnings of a book, severest first, then escalated ones, then the newest.

    Open ones unless ``status`` names another.

    Parameters
    ----------
    status: one status, ``open`` (default) or ``all``.

    Raises
    ------
    UsageError: there is no such status.
    """
    check_book(book)
    everything = [*life_cycle.OPEN, "resolved", "false_alarm", "expired"]
    known = {"open": list(life_cycle.OPEN), "all": everything, **{each: [each] for each in everything}}
    wanted = known.get(status or "open")
    if wanted is None:
        raise UsageError(f"no warning has status {status!r}", hint=f"one of {', '.join(known)}")
    with connect("publisher") as connection, connection.cursor(row_factory=class_row(EarlyWarning)) as cursor:
        return cursor.execute(
            f"""
            select warning_id, customer_id, facility_id, rule_id, rule_version, severity, raised_on,
                last_seen_on, status, evidence, text_zh, text_en, recommended_response, escalated_on,
                first_seen_on, after_default
            from actions.early_warnings
            where book = %(book)s and status = any(%(status)s)
                and (%(severity)s::text is null or severity = %(severity)s)
                and (%(rule)s::text is null or rule_id = %(rule)s)
                and (%(customer)s::text is null or customer_id = %(customer)s)
            order by {severity_rank("severity")} desc, escalated_on nulls last, raised_on desc, warning_id
            limit %(limit)s
            """,
            {
                "book": book,
                "status": wanted,
                "severity": severity,
                "rule": rule_id,
                "customer": customer_id,
                "limit": limit,
            },
        ).fetchall()


def events_of(book: str, warning_id: str) -> list[dict[str, Any]]:
    """Every event of a warning in order: event_at, event, actor, reason, as_of_date, severity, status.

    Raises
    ------
    UsageError: there is no such warning.
    """
    with connect("publisher") as connection, connection.cursor(row_factory=dict_row) as cursor:
        events = cursor.execute(
            "select event_at, event, actor, reason, as_of_date, severity, status"
            " from actions.warning_events where book = %s and warning_id = %s order by event_no",
            (book, warning_id),
        ).fetchall()
    if not events:
        raise UsageError(f"book {book} has no warning {warning_id!r}", hint="see `creditops warnings list`")
    return events
