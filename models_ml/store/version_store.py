"""Registered versions and decisions on them, kept in the warehouse: the truth that MLflow mirrors.

``ops.model_version`` holds what each version is (points table, gates, figures, the hash of every file of
its artefact), ``ops.model_decision`` what was decided about it. Both are append-only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from math import isfinite
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from creditops.errors import UsageError
from creditops.warehouse import connect

Action = Literal["train", "submit", "refuse", "promote", "approve", "reject", "retire", "rollback"]
CHALLENGER, CHAMPION = "challenger", "champion"


@dataclass(frozen=True)
class Content:
    """What a version is made of.

    Attributes
    ----------
    points_table: the points table as JSON, to the letter; ``None`` where the model is none.
    files: SHA-256 of each file of the model's artefact, by its path in it.
    """

    points_table: str | None
    files: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """One hash of it all."""
        whole = {"points_table": self.points_table, "files": dict(sorted(self.files.items()))}
        return sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Version:
    """One registered version; ``name`` is ``{book}.{scorecard}``, ``version`` MLflow's number."""

    name: str
    version: str
    trained_by: str
    run_id: str
    gates: list[dict[str, Any]]
    facts: dict[str, Any]
    params: dict[str, Any]
    metrics: dict[str, float]
    content: Content
    content_sha256: str = ""
    registered_at: datetime | None = None

    @property
    def gates_passed(self) -> bool:
        """Whether gates were run and all passed."""
        return bool(self.gates) and all(gate["passed"] for gate in self.gates)

    @property
    def book(self) -> str:
        """The book of ``{book}.{scorecard}``."""
        return self.name.partition(".")[0]

    @property
    def scorecard(self) -> str:
        """The scorecard of ``{book}.{scorecard}``."""
        return self.name.partition(".")[2]


@dataclass(frozen=True)
class Decision:
    """One step in the life of a version; ``content_sha256`` is what it was about."""

    version: str
    action: Action
    actor: str
    at: datetime
    reason: str | None
    champion_before: str | None
    content_sha256: str


@dataclass
class State:
    """Where a model stands after all decisions on it.

    Attributes
    ----------
    champion, challenger: versions, or ``None``.
    status: per version ``challenger``, ``champion``, ``superseded``, ``rolled_back``, ``rejected``,
        ``retired``.
    last: per version the decision that gave it its status.
    came_after: per version the champion it replaced when a gate or person let it.
    refused: per version why it was not promoted.
    submitted: versions people were asked about.
    """

    champion: str | None = None
    challenger: str | None = None
    status: dict[str, str] = field(default_factory=dict)
    last: dict[str, Decision] = field(default_factory=dict)
    came_after: dict[str, str | None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    submitted: set[str] = field(default_factory=set)

    @classmethod
    def after(cls, decisions: Iterable[Decision]) -> State:
        """The state that decisions, oldest first, lead to."""
        state = cls()
        for decision in decisions:
            state._follow(decision)
        return state

    def _follow(self, decision: Decision) -> None:
        version, before = decision.version, decision.champion_before
        match decision.action:
            case "submit":
                self.submitted.add(version)
                return
            case "refuse":
                self.refused[version] = decision.reason or ""
                return
            case "train":
                self.challenger, self.status[version] = version, CHALLENGER
            case "reject" | "retire":
                self.status[version] = {"reject": "rejected", "retire": "retired"}[decision.action]
            case "promote" | "approve" | "rollback":
                if before is not None and before != version:
                    self.status[before] = "rolled_back" if decision.action == "rollback" else "superseded"
                if decision.action != "rollback":
                    self.came_after[version] = before
                self.champion, self.status[version] = version, CHAMPION
        self.last[version] = decision
        if self.challenger == version and self.status[version] != CHALLENGER:
            self.challenger = None


def register(version: Version, *, connection: psycopg.Connection) -> None:
    """Keep a version, once and for good.

    Raises
    ------
    UsageError: the version is kept already.
    """
    values = {
        "name": version.name,
        "version": version.version,
        "trained_by": version.trained_by,
        "run_id": version.run_id,
        "gates": Jsonb([_finite(gate) for gate in version.gates]),
        "facts": Jsonb(version.facts),
        "params": Jsonb(version.params),
        "metrics": Jsonb(_finite(version.metrics)),
        "points_table": version.content.points_table,
        "files": Jsonb(dict(version.content.files)),
        "content_sha256": version.content.sha256,
    }
    inserted = connection.execute(
        f"insert into ops.model_version ({', '.join(values)})"  # type: ignore[arg-type]
        f" values ({', '.join(f'%({name})s' for name in values)}) on conflict do nothing",
        values,
    ).rowcount
    if not inserted:
        raise UsageError(
            f"{version.name} version {version.version} is registered already",
            hint="a version never changes: train another",
        )


def decide(
    connection: psycopg.Connection, version: Version, action: Action, *,
    actor: str, reason: str | None = None, champion_before: str | None = None,
) -> None:  # fmt: skip
    """Add one decision about a version."""
    connection.execute(
        "insert into ops.model_decision (name, version, action, actor, reason, champion_before,"
        " content_sha256) values (%s, %s, %s, %s, %s, %s, %s)",
        (version.name, version.version, action, actor, reason, champion_before, version.content.sha256),
    )


def versions(book: str | None = None, *, name: str | None = None) -> list[Version]:
    """Versions of a book, of a model or of all, by name, newest first."""
    with connect("modeller") as connection:
        rows = (
            connection.cursor(row_factory=dict_row)
            .execute(
                "select * from ops.model_version where (%(book)s::text is null"
                " or split_part(name, '.', 1) = %(book)s) and (%(name)s::text is null or name = %(name)s)"
                " order by name, version::int desc",
                {"book": book, "name": name},
            )
            .fetchall()
        )
    return [_version(row) for row in rows]


def find(name: str, version: str) -> Version:
    """One version, by number or by ``champion`` or ``challenger``.

    Raises
    ------
    UsageError: there is no such model, version or alias.
    """
    number: str | None = version
    if version in (CHALLENGER, CHAMPION):
        state = state_of(name)
        number = state.champion if version == CHAMPION else state.challenger
    found = next((each for each in versions(name=name) if each.version == number), None)
    if found is None:
        kind = f"with alias {version}" if version in (CHALLENGER, CHAMPION) else f"version {version}"
        raise UsageError(
            f"there is no {name} {kind}", hint="`creditops models list` shows what is registered"
        )
    return found


def state_of(name: str) -> State:
    """Where a model stands; empty where there is none."""
    return states(name=name).get(name, State())


def states(book: str | None = None, *, name: str | None = None) -> dict[str, State]:
    """Where each model of a book, or of all, stands, by name."""
    with connect("modeller") as connection:
        rows = connection.execute(
            "select name, version, action, actor, at, reason, champion_before, content_sha256"
            " from ops.model_decision where (%(book)s::text is null"
            " or split_part(name, '.', 1) = %(book)s) and (%(name)s::text is null or name = %(name)s)"
            " order by name, decision_id",
            {"book": book, "name": name},
        ).fetchall()
    decisions: dict[str, list[Decision]] = {}
    for row in rows:
        decisions.setdefault(row[0], []).append(Decision(*row[1:]))
    return {model: State.after(steps) for model, steps in decisions.items()}


def _version(row: dict[str, Any]) -> Version:
    return Version(
        name=row["name"],
        version=row["version"],
        trained_by=row["trained_by"],
        run_id=row["run_id"],
        gates=row["gates"],
        facts=row["facts"],
        params=row["params"],
        metrics={figure: value for figure, value in row["metrics"].items() if value is not None},
        content=Content(row["points_table"], row["files"]),
        content_sha256=row["content_sha256"],
        registered_at=row["registered_at"],
    )


def _finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has neither NaN nor infinity: a figure that does not exist is null."""
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in figures.items()
    }
