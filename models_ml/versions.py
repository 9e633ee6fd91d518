"""Registered versions as plain data, read from MLflow.

State is MLflow's own: aliases ``challenger`` and ``champion``, and tags on the version. Functions take
the registered name ``{book}.{scorecard}``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from creditops.errors import UsageError
from models_ml.tracking import CHALLENGER, CHAMPION, client, registered_name

STATUS = "status"


def champions(book: str) -> list[dict[str, Any]]:
    """The versions in force: name, scorecard, version, run_id, gates_passed, per scorecard of the book."""
    return _aliased(book, CHAMPION)


def challengers(book: str) -> list[dict[str, Any]]:
    """The versions that wait beside the champions, as :func:`champions`."""
    return _aliased(book, CHALLENGER)


def list_versions(book: str | None = None) -> list[dict[str, Any]]:
    """Every version, newest first per model: name, version, aliases, status, gates, auc_holdout, ..."""
    connection = client()
    rows = []
    for model in sorted(_models(connection, book), key=lambda each: each.name):
        for version in versions(connection, model.name):
            aliases = [alias for alias, at in model.aliases.items() if str(at) == str(version.version)]
            rows.append(_summary(version, aliases))
    return rows


def show(name: str, version: str = CHAMPION) -> dict[str, Any]:
    """One version by number or alias: its summary, metrics, params, gates and who let it.

    Raises
    ------
    UsageError: there is no such model, version or alias.
    """
    connection = client()
    held = find(connection, name, version)
    run = connection.get_run(held.run_id)
    aliases = [
        alias
        for alias, at in connection.get_registered_model(name).aliases.items()
        if str(at) == str(held.version)
    ]
    return _summary(held, aliases) | {
        "decided_by": held.tags.get("decided_by"),
        "decided_at": held.tags.get("decided_at"),
        "reason": held.tags.get("reason"),
        "promotion_refused": held.tags.get("promotion_refused"),
        "metrics": dict(sorted(run.data.metrics.items())),
        "params": dict(sorted(run.data.params.items())),
        "gates": json.loads(held.tags.get("gates", "[]")),
        "champion_comparison": json.loads(held.tags.get("champion_comparison", "null")),
    }


def alias_version(name: str, alias: str) -> str | None:
    """The version an alias points at, or ``None``."""
    connection = client()
    found = next((m for m in _models(connection, name.partition(".")[0]) if m.name == name), None)
    version = found.aliases.get(alias) if found else None
    return None if version is None else str(version)


def latest_version(name: str) -> dict[str, Any] | None:
    """Summary of the newest version, or ``None``."""
    found = versions(client(), name)
    return _summary(found[0], []) if found else None


def trained_as_of(name: str) -> date | None:
    """The latest day any version was trained as of, or ``None``."""
    days = [version.tags.get("as_of") for version in versions(client(), name)]
    return max((date.fromisoformat(day) for day in days if day), default=None)


def gates_passed(tags: dict[str, str]) -> bool:
    """Whether a version's tags say that its gates were run and all passed."""
    return tags.get("gates_passed") == "true"


def versions(connection: Any, name: str) -> list[Any]:
    """MLflow's entities of a model, newest first."""
    found = connection.search_model_versions(f"name='{name}'", max_results=1000)
    return sorted(found, key=lambda version: int(version.version), reverse=True)


def find(connection: Any, name: str, version: str) -> Any:
    """MLflow's entity of a version by number or alias.

    Raises
    ------
    UsageError: there is none.
    """
    from mlflow.exceptions import MlflowException

    try:
        if version.isdigit():
            return connection.get_model_version(name, version)
        return connection.get_model_version_by_alias(name, version)
    except MlflowException as error:
        raise UsageError(
            f"there is no {name} {'version' if version.isdigit() else 'with alias'} {version}",
            hint="see `creditops models list`",
        ) from error


def scorecard_of(name: str) -> str:
    """The scorecard's name within ``{book}.{scorecard}``."""
    return name.partition(".")[2]


def book_of(name: str) -> str:
    """The book's name within ``{book}.{scorecard}``."""
    return name.partition(".")[0]


def _aliased(book: str, alias: str) -> list[dict[str, Any]]:
    connection = client()
    found = []
    for model in _models(connection, book):
        version = model.aliases.get(alias)
        if version is not None:
            held = connection.get_model_version(model.name, version)
            found.append(
                {
                    "name": model.name,
                    "scorecard": scorecard_of(model.name),
                    "version": str(version),
                    "run_id": held.run_id,
                    "gates_passed": gates_passed(held.tags),
                }
            )
    return sorted(found, key=lambda each: each["name"])


def _models(connection: Any, book: str | None) -> list[Any]:
    condition = f"name LIKE '{registered_name(book, '%')}'" if book else None
    models: list[Any] = []
    token = None
    while True:
        page = connection.search_registered_models(filter_string=condition, max_results=200, page_token=token)
        models += page
        token = page.token
        if not token:
            # LIKE takes _ for any character: hold the book's name against it again.
            return [m for m in models if book is None or book_of(m.name) == book]


def _summary(version: Any, aliases: Sequence[str]) -> dict[str, Any]:
    tags = version.tags
    auc = tags.get("auc_holdout")
    return {
        "name": version.name,
        "version": str(version.version),
        "aliases": sorted(aliases),
        "status": tags.get(STATUS),
        "gates": {"true": "passed", "false": "failed"}.get(tags.get("gates_passed", ""), "none"),
        "auc_holdout": None if auc in (None, "nan") else float(auc),
        "as_of": tags.get("as_of"),
        "seed": tags.get("seed"),
        "snapshot_id": tags.get("snapshot_id"),
        "code_version": tags.get("code_version"),
        "trained_by": tags.get("trained_by"),
        "trained_because": tags.get("trained_because"),
        "created_at": datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(
            timespec="seconds"
        ),
        "run_id": version.run_id,
    }
