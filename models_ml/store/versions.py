"""Registered versions as plain data, read from the warehouse (:mod:`models_ml.store.version_store`).

Functions take the registered name ``{book}.{scorecard}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from models_ml.card.points_table import PointsTable
from models_ml.store import artefact, version_store
from models_ml.store.version_store import CHALLENGER, CHAMPION, State, Version


def champions(book: str) -> list[dict[str, Any]]:
    """The versions in force: name, scorecard, version, run_id, gates_passed, per scorecard of the book."""
    return _aliased(book, CHAMPION)


def challengers(book: str) -> list[dict[str, Any]]:
    """The versions that wait beside the champions, as :func:`champions`."""
    return _aliased(book, CHALLENGER)


def list_versions(book: str | None = None) -> list[dict[str, Any]]:
    """Every version, newest first per model: name, version, aliases, status, gates, auc_holdout, ..."""
    states = version_store.states(book)
    return [_summary(held, states.get(held.name, State())) for held in version_store.versions(book)]


def show(name: str, version: str = CHAMPION) -> dict[str, Any]:
    """One version by number or alias: its summary, metrics, params, gates and who let it.

    Raises
    ------
    UsageError: there is no such model, version or alias.
    """
    held, state = version_store.find(name, version), version_store.state_of(name)
    last = state.last.get(held.version)
    decided = last if last is not None and last.action != "train" else None
    return _summary(held, state) | {
        "decided_by": decided.actor if decided else None,
        "decided_at": decided.at.isoformat(timespec="seconds") if decided else None,
        "reason": decided.reason if decided else None,
        "promotion_refused": state.refused.get(held.version),
        "metrics": dict(sorted(held.metrics.items())),
        "params": dict(sorted(held.params.items())),
        "gates": held.gates,
        "champion_comparison": json.loads(held.facts.get("champion_comparison", "null")),
        "content_sha256": held.content_sha256,
    }


def load_table(name: str, version: str) -> PointsTable | None:
    """The points table of a version by number or alias; ``None`` where the model is none.

    Raises
    ------
    UsageError: there is no such version.
    DataRefusedError: the table is not the one that was registered.
    """
    return artefact.points_table(version_store.find(name, version))


def alias_version(name: str, alias: str) -> str | None:
    """The version that is ``champion`` or ``challenger``, or ``None``."""
    state = version_store.state_of(name)
    return state.champion if alias == CHAMPION else state.challenger


def latest_version(name: str) -> dict[str, Any] | None:
    """Summary of the newest version, or ``None``."""
    found = version_store.versions(name=name)
    return _summary(found[0], version_store.state_of(name)) if found else None


def trained_as_of(name: str) -> date | None:
    """The latest day any version was trained as of, or ``None``."""
    days = [held.facts.get("as_of") for held in version_store.versions(name=name)]
    return max((date.fromisoformat(day) for day in days if day), default=None)


def scorecard_of(name: str) -> str:
    """The scorecard's name within ``{book}.{scorecard}``."""
    return name.partition(".")[2]


def book_of(name: str) -> str:
    """The book's name within ``{book}.{scorecard}``."""
    return name.partition(".")[0]


def _aliased(book: str, alias: str) -> list[dict[str, Any]]:
    states = version_store.states(book)
    in_force = {
        name: state.champion if alias == CHAMPION else state.challenger for name, state in states.items()
    }
    return [
        {
            "name": held.name,
            "scorecard": held.scorecard,
            "version": held.version,
            "run_id": held.run_id,
            "gates_passed": held.gates_passed,
        }
        for held in version_store.versions(book)
        if in_force.get(held.name) == held.version
    ]


def _summary(held: Version, state: State) -> dict[str, Any]:
    facts: Mapping[str, Any] = held.facts
    auc = facts.get("auc_holdout")
    aliases = {CHALLENGER: state.challenger, CHAMPION: state.champion}
    return {
        "name": held.name,
        "version": held.version,
        "aliases": sorted(alias for alias, version in aliases.items() if version == held.version),
        "status": state.status.get(held.version),
        "gates": ("passed" if held.gates_passed else "failed") if held.gates else "none",
        "auc_holdout": None if auc is None or auc == "nan" else float(auc),
        "as_of": facts.get("as_of"),
        "seed": facts.get("seed"),
        "snapshot_id": facts.get("snapshot_id"),
        "code_version": facts.get("code_version"),
        "trained_by": held.trained_by,
        "trained_because": facts.get("trained_because"),
        "created_at": held.registered_at.isoformat(timespec="seconds") if held.registered_at else None,
        "run_id": held.run_id,
    }
