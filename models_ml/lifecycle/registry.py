"""The registry in one place: versions, decisions on them, their history; its truth is the warehouse's.

Functions take the registered name ``{book}.{scorecard}`` and give plain data.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from creditops import clock
from creditops.books import end_of_day
from models_ml.lifecycle.decisions import (
    PromotionOutcome,
    approve,
    approvers,
    mark_challenger,
    promote,
    reject,
    retire,
    rollback,
)
from models_ml.store import audit
from models_ml.store.versions import (
    alias_version,
    book_of,
    challengers,
    champions,
    latest_version,
    list_versions,
    load_table,
    scorecard_of,
    show,
    trained_as_of,
)

__all__ = [
    "PromotionOutcome",
    "alias_version",
    "approve",
    "approvers",
    "challengers",
    "champions",
    "compare",
    "history",
    "latest_version",
    "list_versions",
    "load_table",
    "mark_challenger",
    "promote",
    "reject",
    "retire",
    "rollback",
    "scored_on",
    "show",
    "timeline",
    "trained_as_of",
]


def compare(name: str, a: str, b: str) -> list[dict[str, Any]]:
    """Metrics and params of two versions (numbers or aliases): rows metric, a, b, difference."""
    first, second = show(name, a), show(name, b)
    rows: list[dict[str, Any]] = []
    for key in sorted({*first["metrics"], *second["metrics"]}):
        x, y = first["metrics"].get(key), second["metrics"].get(key)
        difference = None if x is None or y is None else y - x
        rows.append({"metric": key, a: x, b: y, "difference": difference})
    for key in ("version", "status", "gates", "as_of", "seed", "snapshot_id", "code_version"):
        x, y = first.get(key), second.get(key)
        rows.append({"metric": key, a: x, b: y, "difference": "" if x == y else "differs"})
    return rows


def history(name: str, at: datetime | None = None) -> dict[str, Any] | None:
    """Which version was champion at a time, who let it, and why; ``None`` where there was none."""
    return audit.champion_at(name, at or clock.now())


def timeline(name: str) -> list[dict[str, Any]]:
    """Every step of a model, oldest first: at, actor, action, version, before, reason."""
    return audit.steps(name)


def scored_on(name: str, day: date) -> dict[str, Any]:
    """Which version was in force at the end of a calendar day, and which ones scored that day.

    Returns
    -------
    ``champion``: as :func:`history`, or ``None``; ``publications``: of the book as of that day, with
    ``publication_id``, ``published_at``, ``version``, ``current``, and ``let_by``, ``let_at`` and
    ``reason`` of the decision in force when it was published.
    """
    book, scorecard = book_of(name), scorecard_of(name)
    publications = []
    for each in audit.publications_scored(book, day):
        version = next((m["version"] for m in each["models"] if m["scorecard"] == scorecard), None)
        published = each["published_at"]
        decision = audit.champion_at(name, published) or {}
        if decision.get("version") != version:  # approved while the day was being published
            decision = _decision_on(name, version, published) or {}
        publications.append(
            {
                "publication_id": each["publication_id"],
                "published_at": published,
                "version": version,
                "current": each["current"],
                "let_by": decision.get("actor"),
                "let_at": decision.get("at"),
                "reason": decision.get("reason"),
            }
        )
    at = min(end_of_day(book, day), clock.now() + timedelta(days=1))
    return {"champion": audit.champion_at(name, at), "publications": publications}


def _decision_on(name: str, version: str | None, until: datetime) -> dict[str, Any] | None:
    rows = [
        row
        for row in audit.steps(name, until=until)
        if row["action"] in audit.CROWNING and row["version"] == version
    ]
    return rows[-1] if rows else None
