"""What a person does with a warning; every act is an event with a name and a reason."""

from __future__ import annotations

from datetime import datetime

from creditops import clock
from creditops.errors import UsageError
from creditops.warehouse.connection import connect
from creditops.warnings import life_cycle

_FROM: dict[str, tuple[str, ...]] = {
    "acknowledged": ("raised",),
    "in_response": ("raised", "acknowledged"),
    "resolved": life_cycle.OPEN,
    "false_alarm": life_cycle.OPEN,
}


def acknowledge(
    book: str, warning_id: str, *, actor: str, reason: str | None = None, at: datetime | None = None
) -> None:
    """Somebody has seen the warning and takes it on."""
    _act(book, warning_id, "acknowledged", actor=actor, reason=reason, at=at)


def start_response(
    book: str, warning_id: str, *, actor: str, reason: str | None = None, at: datetime | None = None
) -> None:
    """A response to the warning is under way."""
    _act(book, warning_id, "in_response", actor=actor, reason=reason, at=at)


def resolve(book: str, warning_id: str, *, actor: str, reason: str, at: datetime | None = None) -> None:
    """Close the warning as dealt with; the rule stays quiet for its ``quiet_days`` unless it worsens."""
    _act(book, warning_id, "resolved", actor=actor, reason=reason, at=at)


def mark_false_alarm(
    book: str, warning_id: str, *, actor: str, reason: str, at: datetime | None = None
) -> None:
    """Close the warning as unfounded; the rule stays quiet for its ``quiet_days`` unless it worsens."""
    _act(book, warning_id, "false_alarm", actor=actor, reason=reason, at=at)


def unknown(book: str, warning_id: str) -> UsageError:
    """The refusal of a warning that the book does not have."""
    return UsageError(
        f"book {book} has no warning {warning_id!r}",
        hint=f"`creditops warnings list --book {book}` shows them; --book names another book",
    )


def _act(
    book: str, warning_id: str, status: str, *, actor: str, reason: str | None, at: datetime | None
) -> None:
    """Write the act as an event of the last evaluated day and change the warning's state.

    Raises
    ------
    UsageError: no such warning, an act its status does not allow, or no name or reason given.
    """
    if not actor.strip() or actor.strip().lower() == "system":
        raise UsageError(f"{actor!r} is nobody's name", hint="say who acts")
    closing = status in ("resolved", "false_alarm")
    if closing and not (reason or "").strip():
        raise UsageError("closing a warning needs a reason", hint="say why in a few words")
    with connect("publisher") as connection:
        life_cycle.lock(connection, book)
        found = connection.execute(
            "select status, severity from actions.early_warnings where book = %s and warning_id = %s",
            (book, warning_id),
        ).fetchone()
        if found is None:
            raise unknown(book, warning_id)
        if found[0] not in _FROM[status]:
            raise UsageError(
                f"warning {warning_id} is {found[0]}; it cannot become {status}",
                hint=f"possible from: {', '.join(_FROM[status])}",
            )
        day = life_cycle.last_day(connection, book)
        values = {
            "book": book,
            "warning": warning_id,
            "status": status,
            "actor": actor.strip(),
            "reason": reason,
            "severity": found[1],
            "day": day,
            "at": at or clock.now(),
            "closed_on": day if closing else None,
            "closed_by": actor.strip() if closing else None,
        }
        connection.execute(
            "insert into actions.warning_events"
            " (book, warning_id, event_at, event, actor, reason, as_of_date, severity, status)"
            " values (%(book)s, %(warning)s, %(at)s, %(status)s, %(actor)s, %(reason)s, %(day)s,"
            " %(severity)s, %(status)s)",
            values,
        )
        connection.execute(
            "update actions.early_warnings set status = %(status)s, closed_on = %(closed_on)s,"
            " closed_by = %(closed_by)s where book = %(book)s and warning_id = %(warning)s",
            values,
        )
        connection.execute(
            "update actions.warning_states set status = %(status)s, closed_on = %(closed_on)s,"
            " closed_by = %(closed_by)s where book = %(book)s and warning_id = %(warning)s"
            " and as_of_date = %(day)s and not restated",
            values,
        )
