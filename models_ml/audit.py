"""Rows of ``ops.audit`` for what happens to models: who did what, from what to what, and why."""

from __future__ import annotations

import getpass
import os
from typing import Any

from psycopg.types.json import Jsonb

from creditops.warehouse import connect


def current_actor() -> str:
    """Who acts: ``CREDITOPS_ACTOR`` (set by the DAGs and the deployment), else the system user."""
    return os.environ.get("CREDITOPS_ACTOR") or getpass.getuser()


def record(
    actor: str,
    action: str,
    model: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Append one audit row, as role modeller.

    Parameters
    ----------
    action: ``model.train``, ``model.promote``, ``model.approve``, ``model.reject``, ``model.rollback``.
    model: registered model name, ``{book}.{scorecard}``.
    """
    with connect("modeller") as connection:
        connection.execute(
            "insert into ops.audit (actor, action, object, before, after, reason)"
            " values (%s, %s, %s, %s, %s, %s)",
            (
                actor,
                action,
                model,
                None if before is None else Jsonb(before),
                None if after is None else Jsonb(after),
                reason,
            ),
        )


def champion_at(model: str, at: Any) -> dict[str, Any] | None:
    """The audit row that made a version champion and was the last before ``at``.

    Returns a dict with at, actor, action, version, reason, or ``None``.
    """
    with connect("modeller") as connection:
        row = connection.execute(
            "select at, actor, action, after ->> 'champion', reason from ops.audit"
            " where object = %s and action in ('model.promote', 'model.approve', 'model.rollback')"
            " and at <= %s order by at desc limit 1",
            (model, at),
        ).fetchone()
    if row is None:
        return None
    return dict(zip(("at", "actor", "action", "version", "reason"), row, strict=True))
