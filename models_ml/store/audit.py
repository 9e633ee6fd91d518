"""Rows of ``ops.audit`` for what happens to models: who did what, from what to what, and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from creditops.warehouse import audit, connect

CROWNING = ("model.promote", "model.approve", "model.rollback")


@contextmanager
def recorded(
    actor: str,
    action: str,
    model: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str | None = None,
) -> Iterator[psycopg.Connection]:
    """Append one audit row around an act on a model, as role modeller; gives the transaction's connection.

    The row is kept only where the act succeeds. Acts on one model follow one another, so that two
    people cannot both be the one who decided.

    Parameters
    ----------
    action: ``model.train``, ``.submit``, ``.promote``, ``.approve``, ``.reject``, ``.rollback``,
        ``.retire``, ``.refuse``.
    model: registered model name, ``{book}.{scorecard}``.
    """
    with connect("modeller") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"model {model}",))
        audit.append(connection, actor, action, model, before=before, after=after, reason=reason)
        yield connection


def record(actor: str, action: str, model: str, **what: Any) -> None:
    """Append one audit row; arguments as for :func:`recorded`."""
    with recorded(actor, action, model, **what):
        pass


def is_recorded(action: str, model: str, after: dict[str, Any]) -> bool:
    """Whether there is a row of this action whose ``after`` holds these keys and values."""
    with connect("modeller") as connection:
        row = connection.execute(
            "select exists (select from ops.audit where action = %s and object = %s and after @> %s)",
            (action, model, Jsonb(after)),
        ).fetchone()
    return bool(row and row[0])


def who_asked(book: str, as_of: str, until: Any) -> frozenset[str]:
    """Everybody who asked for the chain of a book and day within the day before ``until``."""
    with connect("modeller") as connection:
        return frozenset(audit.who_asked(connection, f"{book}|{as_of}", until))


def champion_at(model: str, at: Any) -> dict[str, Any] | None:
    """The audit row that made a version champion and was the last before ``at``.

    Returns a dict with at, actor, action, version, reason, or ``None``.
    """
    rows = [row for row in steps(model, until=at) if row["action"] in CROWNING]
    if not rows:
        return None
    return {key: rows[-1][key] for key in ("at", "actor", "action", "version", "reason")}


def steps(model: str, until: Any = None) -> list[dict[str, Any]]:
    """Every step of a model, oldest first: at, actor, action, version, before, reason.

    ``version`` is the one the step is about, ``before`` the champion or challenger it took over from.
    """
    with connect("modeller") as connection:
        rows = connection.execute(
            "select at, actor, action, coalesce(after ->> 'champion', after ->> 'challenger',"
            " after ->> 'version', after ->> 'rejected'),"
            " coalesce(before ->> 'champion', before ->> 'challenger'), reason from ops.audit"
            " where object = %(model)s and action like 'model.%%'"
            " and (%(until)s::timestamptz is null or at <= %(until)s::timestamptz) order by at",
            {"model": model, "until": until},
        ).fetchall()
    names = ("at", "actor", "action", "version", "before", "reason")
    return [dict(zip(names, row, strict=True)) for row in rows]


def publications_scored(book: str, as_of: Any) -> list[dict[str, Any]]:
    """What publications of a day were scored with: publication_id, published_at, models, current."""
    with connect("modeller") as connection:
        rows = connection.execute(
            "select h.publication_id, h.published_at, h.models, p.publication_id is not null"
            " from ops.publication_history h left join ops.publication p using (publication_id)"
            " where h.book = %s and h.as_of_date = %s and h.published_at is not null order by 2",
            (book, as_of),
        ).fetchall()
    names = ("publication_id", "published_at", "models", "current")
    return [dict(zip(names, row, strict=True)) for row in rows]
