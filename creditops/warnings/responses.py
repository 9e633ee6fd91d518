"""Responses to warnings, 应对 (domain.md#response): proposed by warnings, decided by people, with effect.

Every open warning proposes what its rule recommends, unless the customer already has an open response
of that kind; of several warnings the severest proposes. A proposal whose warning closes undecided
expires. An approved suspension or reduction acts on limits from then on
(``actions.approved_limit_actions``) until somebody says it is done; an approved response to a warning
brings the warning into response.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from creditops import clock
from creditops.books import check_book, end_of_day
from creditops.errors import UsageError
from creditops.warehouse import audit
from creditops.warehouse.connection import connect
from creditops.warnings import life_cycle
from creditops.warnings.calendar import last_month_end
from creditops.warnings.compiler import severity_rank

REDUCTION: dict[str, Decimal] = {"red": Decimal("0.5"), "orange": Decimal("0.3"), "yellow": Decimal("0.1")}
"""Share of the limit that a reduction proposes to take away, by the severity of its warning."""
_FROM: dict[str, tuple[str, ...]] = {
    "approved": ("proposed",),
    "rejected": ("proposed",),
    "done": ("approved",),
}


@dataclass(frozen=True)
class ProposedAction:
    """A response as it stands now; columns as published."""

    action_id: str
    customer_id: str
    warning_id: str
    kind: str
    amount: Decimal | None
    status: str
    proposed_on: date
    severity: str
    rule_id: str
    text_zh: str
    text_en: str

    def to_dict(self) -> dict[str, Any]:
        """The response as JSON-ready values."""
        return {**asdict(self), "proposed_on": self.proposed_on.isoformat()}


def propose(
    connection: psycopg.Connection, book: str, as_of: date, *, schemas: Mapping[str, str]
) -> dict[str, int]:
    """Bring the proposals to the close of ``as_of``, after the warnings; counts proposed and expired.

    A reduction proposes :data:`REDUCTION` of the customer's limits at the last month end.

    Idempotent: what it would propose is there already on a second run of the day. Reads and writes in
    the caller's transaction, which holds the book's lock.
    """
    values = {
        "book": book,
        "day": as_of,
        "at": end_of_day(book, as_of).replace(microsecond=0),
        "observed_on": last_month_end(as_of),
        **REDUCTION,
    }
    panel = f"{schemas['marts']}.fct_facility_month"
    known = connection.execute("select to_regclass(%s) is not null", (panel,)).fetchone()
    limits = _LIMITS.format(panel=panel) if known and known[0] else _NO_LIMITS
    cursor = psycopg.ClientCursor(connection)
    expired = cursor.execute(_EXPIRE, values).rowcount
    proposed = cursor.execute(_PROPOSE.replace("{limits}", limits), values).rowcount  # type: ignore[arg-type]
    return {"proposed": proposed, "expired": expired}


def approve(
    book: str, action_id: str, *, actor: str, reason: str, amount: Decimal | None = None,
    at: datetime | None = None,
) -> None:  # fmt: skip
    """Approve a response, with another amount if given; its warning goes into response.

    Raises
    ------
    UsageError: no such action, not open for approval, or no name or reason given.
    """
    _decide(book, action_id, "approved", actor=actor, reason=reason, amount=amount, at=at)


def reject(book: str, action_id: str, *, actor: str, reason: str, at: datetime | None = None) -> None:
    """Reject a response; the same warning does not propose it again. Raises as :func:`approve`."""
    _decide(book, action_id, "rejected", actor=actor, reason=reason, amount=None, at=at)


def finish(book: str, action_id: str, *, actor: str, reason: str, at: datetime | None = None) -> None:
    """Say that an approved response is carried out or lifted: its effect on limits ends.

    Raises as :func:`approve`.
    """
    _decide(book, action_id, "done", actor=actor, reason=reason, amount=None, at=at)


def list_actions(
    book: str, *, status: str | None = "proposed", customer_id: str | None = None, limit: int = 100
) -> list[ProposedAction]:
    """Responses, those of the severest warnings first; ``status`` None means all."""
    check_book(book)
    query = f"""
        select action.action_id, action.customer_id, action.warning_id, action.kind, action.amount,
            action.status, action.proposed_on, warning.severity, warning.rule_id, warning.text_zh,
            warning.text_en
        from actions.proposed_actions as action
        inner join actions.early_warnings as warning using (warning_id)
        where action.book = %(book)s and (%(status)s::text is null or action.status = %(status)s)
            and (%(customer)s::text is null or action.customer_id = %(customer)s)
        order by {severity_rank("warning.severity")} desc, action.proposed_on, action.action_id
        limit %(limit)s
    """
    values = {"book": book, "status": status, "customer": customer_id, "limit": limit}
    with (
        connect("publisher") as connection,
        connection.cursor(row_factory=class_row(ProposedAction)) as cursor,
    ):
        return cursor.execute(query, values).fetchall()


def _decide(
    book: str,
    action_id: str,
    status: str,
    *,
    actor: str,
    reason: str,
    amount: Decimal | None,
    at: datetime | None,
) -> None:
    name = actor.strip()
    if not name or name.lower() == "system":
        raise UsageError(f"{actor!r} is nobody's name", hint="say who decides")
    if not reason.strip():
        raise UsageError("a decision needs a reason", hint="say why in a few words")
    if amount is not None and amount < 0:
        raise UsageError(f"the amount {amount} is negative", hint="give what is taken off the limit")
    with connect("publisher") as connection:
        life_cycle.lock(connection, book)
        found = connection.cursor(row_factory=dict_row).execute(
            "select * from actions.proposed_actions where book = %s and action_id = %s", (book, action_id)
        ).fetchone()  # fmt: skip
        if found is None:
            raise UsageError(f"book {book} has no action {action_id!r}", hint="see `creditops actions list`")
        if found["status"] not in _FROM[status]:
            raise UsageError(
                f"action {action_id} is {found['status']}; it cannot become {status}",
                hint=f"possible from: {', '.join(_FROM[status])}",
            )
        if amount is not None and found["kind"] != "reduce_limit":
            raise UsageError(
                f"action {action_id} is {found['kind']}: it has no amount", hint="leave --amount out"
            )
        day = life_cycle.last_day(connection, book)
        values = {
            "book": book, "action": action_id, "status": status, "actor": name, "reason": reason.strip(),
            "day": day, "at": at or clock.now(), "amount": amount, "warning": found["warning_id"],
        }  # fmt: skip
        connection.execute(_DECIDED, values)
        connection.execute(
            "update actions.proposed_actions set status = %(status)s, changed_on = %(day)s,"
            " amount = coalesce(%(amount)s, amount) where action_id = %(action)s",
            values,
        )
        if status == "approved":
            for statement in _RESPOND:
                connection.execute(statement, values)
        audit.append(
            connection,
            name,
            f"action.{status}",
            f"{book}/{action_id}",
            before={"status": found["status"], "amount": found["amount"]},
            after={"status": status, "amount": amount or found["amount"]},
            reason=reason.strip(),
        )


_DECIDED = """
insert into actions.action_events (book, action_id, event_at, as_of_date, status, actor, reason, amount)
values (%(book)s, %(action)s, %(at)s, %(day)s, %(status)s, %(actor)s, %(reason)s, %(amount)s)
"""

_RESPOND = (
    """
    insert into actions.warning_events
        (book, warning_id, event_at, event, actor, reason, as_of_date, severity, status)
    select book, warning_id, %(at)s, 'in_response', %(actor)s, 'action ' || %(action)s || ': ' || %(reason)s,
        %(day)s, severity, 'in_response'
    from actions.early_warnings
    where warning_id = %(warning)s and status in ('raised', 'acknowledged')
    """,
    """
    update actions.warning_states set status = 'in_response'
    where warning_id = %(warning)s and book = %(book)s and as_of_date = %(day)s and not restated
        and status in ('raised', 'acknowledged')
    """,
    """
    update actions.early_warnings set status = 'in_response'
    where warning_id = %(warning)s and status in ('raised', 'acknowledged')
    """,
)

_EXPIRE = """
with gone as (
    update actions.proposed_actions as action
    set status = 'expired', changed_on = %(day)s
    from actions.early_warnings as warning
    where action.book = %(book)s and action.status = 'proposed'
        and warning.warning_id = action.warning_id and warning.closed_on is not null
    returning action.action_id
)
insert into actions.action_events (book, action_id, event_at, as_of_date, status, actor, reason)
select %(book)s, action_id, %(at)s, %(day)s, 'expired', 'system', 'its warning is closed'
from gone
order by action_id
"""

# What a reduction takes from: the limits of the customer's open facilities at the last month end.
_LIMITS = """
    select customer_id, sum(credit_limit) as credit_limit from {panel}
    where book = %(book)s and month_end = %(observed_on)s and status <> 'closed'
    group by customer_id
"""
_NO_LIMITS = "select null::text as customer_id, null::numeric as credit_limit"

# Whoever decided today is not asked again today.
_PROPOSE = f"""
with limits as ({{limits}}),
candidate as (
    select warning.customer_id, warning.warning_id, warning.recommended_response as kind, warning.severity,
        'a' || left(encode(sha256(convert_to(
            concat_ws('|', warning.warning_id, warning.recommended_response), 'UTF8')), 'hex'), 20)
            as action_id,
        row_number() over (
            partition by warning.customer_id, warning.recommended_response
            order by {severity_rank("warning.severity")} desc, warning.raised_on, warning.warning_id
        ) as place
    from actions.early_warnings as warning
    where warning.book = %(book)s and warning.closed_on is null
        and not exists (
            select 1 from actions.proposed_actions as decided_today
            where decided_today.book = %(book)s and decided_today.customer_id = warning.customer_id
                and decided_today.kind = warning.recommended_response
                and decided_today.status in ('rejected', 'done') and decided_today.changed_on >= %(day)s
        )
        and not exists (
            select 1 from actions.proposed_actions as decided
            where decided.warning_id = warning.warning_id and decided.kind = warning.recommended_response
                and decided.status <> 'expired'
        )
),
wanted as (
    select candidate.*,
        case
            when kind = 'reduce_limit' then round(
                limits.credit_limit * case severity
                    when 'red' then %(red)s when 'orange' then %(orange)s else %(yellow)s end, 2
            )
        end as amount
    from candidate
    left join limits using (customer_id)
    where place = 1 and not exists (
        select 1 from actions.proposed_actions as open
        where open.book = %(book)s and open.customer_id = candidate.customer_id
            and open.kind = candidate.kind and open.status in ('proposed', 'approved')
    )
),
proposed as (
    insert into actions.proposed_actions as known
        (action_id, book, customer_id, warning_id, kind, amount, status, proposed_on, changed_on)
    select action_id, %(book)s, customer_id, warning_id, kind, amount, 'proposed', %(day)s, %(day)s
    from wanted
    on conflict (action_id) do update
    set status = 'proposed', amount = excluded.amount, changed_on = excluded.changed_on
    returning action_id, warning_id, amount
)
insert into actions.action_events (book, action_id, event_at, as_of_date, status, actor, reason, amount)
select %(book)s, action_id, %(at)s, %(day)s, 'proposed', 'system', 'warning ' || warning_id, amount
from proposed
order by action_id
"""
