"""Grades changed by hand: with a reason, an approver and an expiry, within limits, never deleted.

An override holds from its day until it expires or is ended. Grade D, default, is neither given nor
taken away by hand: it follows from the facts (domain.md#default).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from creditops.errors import UsageError
from creditops.warehouse import connect
from models_ml.card.master_scale import master_scale
from models_ml.lifecycle.decisions import approvers
from models_ml.spec import OverrideLimits
from models_ml.spec import scorecard as find_scorecard
from models_ml.store import audit
from models_ml.store.tracking import registered_name

_COLUMNS = ("override_id", "book", "scorecard", "customer_id", "grade_from", "grade_to", "reason",
            "requested_by", "approved_by", "starts_on", "expires_on", "ended_on", "ended_by",
            "end_reason")  # fmt: skip
#: SQL condition on table ``o``: the override holds on parameter ``as_of``.
IN_FORCE = (
    "o.starts_on <= %(as_of)s and o.expires_on > %(as_of)s and (o.ended_on is null or o.ended_on > %(as_of)s)"
)


@dataclass(frozen=True)
class Request:
    """An override to make; ``starts_on`` to the day before ``expires_on``."""

    book: str
    scorecard: str
    customer_id: str
    grade: str
    reason: str
    requested_by: str
    approved_by: str
    starts_on: date
    expires_on: date


def add(request: Request) -> int:
    """Make an override; returns its number.

    Raises
    ------
    UsageError: the customer has no grade, D is involved, the approver asked for it or may not approve,
        a reason is missing, another override holds, or a limit of the scorecard is passed.
    """
    limits = find_scorecard(request.scorecard).overrides
    _check_people(request)
    with connect("modeller") as connection:
        connection.execute(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"overrides {request.book}",)
        )
        grade = _current_grade(connection, request)
        _check_size(request, grade, limits)
        _check_share(connection, request, limits)
        row = connection.execute(
            "insert into scoring.grade_override (book, scorecard, customer_id, grade_from, grade_to, reason,"
            " requested_by, approved_by, starts_on, expires_on)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning override_id",
            (request.book, request.scorecard, request.customer_id, grade, request.grade, request.reason,
             request.requested_by, request.approved_by, request.starts_on, request.expires_on),
        ).fetchone()  # fmt: skip
    assert row is not None
    audit.record(
        request.approved_by, "override.add", registered_name(request.book, request.scorecard),
        before={"grade": grade},
        after={"override": row[0], "customer": request.customer_id, "grade": request.grade,
               "requested_by": request.requested_by, "expires_on": request.expires_on.isoformat()},
        reason=request.reason,
    )  # fmt: skip
    return int(row[0])


def end(override_id: int, *, on: date, actor: str, reason: str) -> None:
    """End an override before its expiry, from day ``on``.

    Raises
    ------
    UsageError: there is none, it is over, or no reason is given.
    """
    if not reason.strip():
        raise UsageError("ending an override needs a reason", hint="give --reason TEXT")
    with connect("modeller") as connection:
        row = connection.execute(
            "update scoring.grade_override set ended_on = greatest(%s, starts_on), ended_by = %s,"
            " end_reason = %s where override_id = %s and ended_on is null and expires_on > %s"
            " returning book, scorecard, customer_id",
            (on, actor, reason, override_id, on),
        ).fetchone()
    if row is None:
        raise UsageError(
            f"there is no override {override_id} in force on {on}",
            hint="see `creditops models overrides list`",
        )
    audit.record(
        actor, "override.end", registered_name(row[0], row[1]),
        before={"override": override_id, "customer": row[2]}, reason=reason,
    )  # fmt: skip


def listed(book: str | None = None, *, as_of: date | None = None) -> list[dict[str, Any]]:
    """Overrides, newest first; with ``as_of`` only those in force that day."""
    condition = f" and {IN_FORCE}" if as_of else ""
    with connect("modeller") as connection:
        rows = connection.execute(
            f"select {', '.join(f'o.{name}' for name in _COLUMNS)} from scoring.grade_override as o"
            f" where (%(book)s::text is null or o.book = %(book)s){condition} order by 1 desc",
            {"book": book, "as_of": as_of},
        ).fetchall()
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]


def _check_people(request: Request) -> None:
    if not request.reason.strip():
        raise UsageError("an override needs a reason", hint="give --reason TEXT")
    if request.approved_by == request.requested_by:
        raise UsageError(
            f"{request.approved_by} asked for the override and cannot approve it",
            hint="another person must approve (--approver)",
        )
    if approvers() and request.approved_by not in approvers():
        raise UsageError(
            f"{request.approved_by} may not approve overrides",
            hint=f"ask one of {', '.join(approvers())} (setting CREDITOPS_MODEL_APPROVERS)",
        )


def _current_grade(connection: psycopg.Connection, request: Request) -> str:
    row = connection.execute(
        "select grade from scoring.customer_scores where book = %s and scorecard = %s and customer_id = %s"
        " and as_of_date <= %s order by as_of_date desc limit 1",
        (request.book, request.scorecard, request.customer_id, request.starts_on),
    ).fetchone()
    if row is None:
        raise UsageError(
            f"customer {request.customer_id} has no grade of {request.scorecard} by {request.starts_on}",
            hint="see publish.customer_scores",
        )
    running = connection.execute(
        "select o.override_id from scoring.grade_override as o where o.book = %(book)s"
        " and o.scorecard = %(scorecard)s and o.customer_id = %(customer)s"
        " and o.starts_on < %(until)s and least(o.expires_on, o.ended_on) > %(from)s",
        {"book": request.book, "scorecard": request.scorecard, "customer": request.customer_id,
         "from": request.starts_on, "until": request.expires_on},
    ).fetchone()  # fmt: skip
    if running is not None:
        raise UsageError(
            f"override {running[0]} already holds for customer {request.customer_id}",
            hint="end it first: `creditops models overrides end`",
        )
    return str(row[0])


def _check_size(request: Request, grade: str, limits: OverrideLimits) -> None:
    scale = [each.grade for each in master_scale().grades]
    if grade not in scale or request.grade not in scale:
        raise UsageError(
            f"no override from {grade} to {request.grade}: default follows from the facts",
            hint=f"grades that may be changed by hand: {', '.join(scale)}",
        )
    notches = abs(scale.index(request.grade) - scale.index(grade))
    days = (request.expires_on - request.starts_on).days
    if notches == 0:
        raise UsageError(f"customer {request.customer_id} has grade {grade} already", hint="nothing to do")
    if notches > limits.max_notches:
        raise UsageError(
            f"{notches} notches from {grade} to {request.grade}, at most {limits.max_notches}",
            hint="the limit is `overrides.max_notches` of the scorecard",
        )
    if not 0 < days <= limits.max_days:
        raise UsageError(
            f"an override of {days} days, from 1 to {limits.max_days}",
            hint="the limit is `overrides.max_days` of the scorecard",
        )


def _check_share(connection: psycopg.Connection, request: Request, limits: OverrideLimits) -> None:
    what = {"book": request.book, "scorecard": request.scorecard, "as_of": request.starts_on}
    running = connection.execute(
        "select count(*) from scoring.grade_override as o where o.book = %(book)s"
        f" and o.scorecard = %(scorecard)s and {IN_FORCE}",
        what,
    ).fetchone()
    scored = connection.execute(
        "select count(*) from scoring.customer_scores where book = %(book)s and scorecard = %(scorecard)s"
        " and as_of_date = (select max(as_of_date) from scoring.customer_scores where book = %(book)s"
        " and scorecard = %(scorecard)s and as_of_date <= %(as_of)s)",
        what,
    ).fetchone()
    assert running is not None
    assert scored is not None
    if running[0] + 1 > limits.max_share * scored[0]:
        raise UsageError(
            f"{running[0]} of {scored[0]} customers have an override, at most {limits.max_share:.1%}",
            hint="end some, or retrain the scorecard: many overrides mean that it is wrong",
        )
