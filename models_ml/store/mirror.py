"""The warehouse's registry shown in MLflow: aliases and tags for people, read by nobody as truth."""

from __future__ import annotations

import json
import logging
from typing import Any

from creditops.errors import ServiceUnreachableError
from creditops.identity import current_actor
from models_ml.store import audit, version_store
from models_ml.store.tracking import client
from models_ml.store.version_store import CHALLENGER, CHAMPION, State, Version

_log = logging.getLogger(__name__)


def show(name: str) -> None:
    """Bring a model's aliases, and the tags of its versions, to what the warehouse says.

    Where MLflow does not answer, the next decision does it: what was decided stands all the same.
    """
    try:
        connection, state = client(), version_store.state_of(name)
    except ServiceUnreachableError as error:
        _log.warning("MLflow does not show yet what was decided about %s: %s", name, error)
        return
    shown = {str(each.version): each.tags for each in _shown(connection, name)}
    for held in version_store.versions(name=name):
        if held.version in shown:
            tags = shown[held.version]
            for key, value in _tags(held, state).items():
                if tags.get(key) != value:
                    connection.set_model_version_tag(name, held.version, key, value)
    aliases = aliases_of(name)
    for alias, version in ((CHAMPION, state.champion), (CHALLENGER, state.challenger)):
        if version is not None and aliases.get(alias) != version and version in shown:
            connection.set_registered_model_alias(name, alias, version)
        elif version is None and alias in aliases:
            connection.delete_registered_model_alias(name, alias)


def put_right(book: str) -> list[str]:
    """Where MLflow shows another champion or challenger than the warehouse: note it, and mend it.

    Returns
    -------
    A sentence per model.
    """
    said = []
    for name, state in version_store.states(book).items():
        expected = {CHAMPION: state.champion, CHALLENGER: state.challenger}
        found = aliases_of(name)
        different = {
            alias: found.get(alias) for alias, version in expected.items() if found.get(alias) != version
        }
        if different:
            reason = f"MLflow showed {different} where the warehouse has {expected}"
            audit.record(
                current_actor(),
                "model.mirror_differs",
                name,
                before=different,
                after=expected,
                reason=reason,
            )
            show(name)
            said.append(f"{name}: {reason}")
    return said


def aliases_of(name: str) -> dict[str, str]:
    """The aliases that MLflow shows for a model."""
    found = client().search_registered_models(filter_string=f"name='{name}'")
    return {alias: str(version) for model in found for alias, version in model.aliases.items()}


def run_of(name: str, version: str) -> tuple[str, dict[str, str], dict[str, float]]:
    """Run id, parameters and figures of the run that a version was logged in."""
    connection = client()
    run = connection.get_run(connection.get_model_version(name, version).run_id)
    return run.info.run_id, dict(run.data.params), dict(run.data.metrics)


def _shown(connection: Any, name: str) -> list[Any]:
    return list(connection.search_model_versions(f"name='{name}'", max_results=1000))


def _tags(held: Version, state: State) -> dict[str, str]:
    last = state.last.get(held.version)
    tags = {key: str(value) for key, value in held.facts.items()} | {
        "status": state.status.get(held.version, ""),
        "trained_by": held.trained_by,
        "gates_passed": str(held.gates_passed).lower(),
        "gates": json.dumps(held.gates),
        "content_sha256": held.content_sha256,
        "promotion_refused": state.refused.get(held.version, ""),
    }
    if last is not None and last.action != "train":
        tags |= {
            "decided_by": last.actor,
            "decided_at": last.at.isoformat(timespec="seconds"),
            "reason": last.reason or "",
        }
    return {key: value for key, value in tags.items() if value}
