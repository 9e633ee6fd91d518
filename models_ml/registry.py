"""The life of a scorecard version: challenger, champion, rejected, rolled back (on MLflow).

State is MLflow's own: aliases ``challenger`` and ``champion``, and tags on the version. Every step
also writes a row to ``ops.audit``, since MLflow keeps no history of aliases. Functions take the
registered name ``{book}.{scorecard}`` and give plain data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from creditops.errors import DataRefusedError, UsageError
from models_ml import audit
from models_ml.gates import Gate, all_passed
from models_ml.spec import load_scorecards
from models_ml.tracking import CHALLENGER, CHAMPION, client, registered_name

STATUS = "status"


@dataclass(frozen=True)
class PromotionOutcome:
    """What :func:`promote` decided about ``version``; ``previous`` is the champion before."""

    name: str
    version: str
    promoted: bool
    reason: str
    previous: str | None = None


def champions(book: str) -> list[dict[str, Any]]:
    """The versions in force: name, scorecard, version, run_id, gates_passed, per scorecard of the book."""
    connection = client()
    found = []
    for model in _models(connection, book):
        version = model.aliases.get(CHAMPION)
        if version is not None:
            held = connection.get_model_version(model.name, version)
            found.append(
                {
                    "name": model.name,
                    "scorecard": _scorecard(model.name),
                    "version": str(version),
                    "run_id": held.run_id,
                    "gates_passed": held.tags.get("gates_passed") == "true",
                }
            )
    return sorted(found, key=lambda each: each["name"])


def list_versions(book: str | None = None) -> list[dict[str, Any]]:
    """Every version, newest first per model: name, version, aliases, status, gates, auc_holdout, ..."""
    connection = client()
    rows = []
    for model in sorted(_models(connection, book), key=lambda each: each.name):
        for version in _versions(connection, model.name):
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
    held = _version(connection, name, version)
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
        "metrics": dict(sorted(run.data.metrics.items())),
        "params": dict(sorted(run.data.params.items())),
        "gates": json.loads(held.tags.get("gates", "[]")),
    }


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


def alias_version(name: str, alias: str) -> str | None:
    """The version an alias points at, or ``None``."""
    connection = client()
    found = next((m for m in _models(connection, None) if m.name == name), None)
    version = found.aliases.get(alias) if found else None
    return None if version is None else str(version)


def latest_version(name: str) -> dict[str, Any] | None:
    """Summary of the newest version, or ``None``."""
    versions = _versions(client(), name)
    return _summary(versions[0], []) if versions else None


def trained_as_of(name: str) -> date | None:
    """The latest day any version was trained as of, or ``None``."""
    days = [version.tags.get("as_of") for version in _versions(client(), name)]
    return max((date.fromisoformat(day) for day in days if day), default=None)


def mark_challenger(
    name: str, version: str, *, actor: str, gates: Sequence[Gate], tags: Mapping[str, str]
) -> None:
    """Make a freshly registered version the challenger, with its gates as tags."""
    connection = client()
    passed = all_passed(gates)
    values = dict(tags) | {
        STATUS: CHALLENGER,
        "trained_by": actor,
        "gates_passed": str(passed).lower(),
        "gates": json.dumps([gate.as_dict() for gate in gates]),
    }
    _tag(connection, name, version, values)
    before = alias_version(name, CHALLENGER)
    connection.set_registered_model_alias(name, CHALLENGER, version)
    audit.record(
        actor, "model.train", name,
        before={"challenger": before},
        after={"challenger": version, "gates_passed": passed, **tags},
    )  # fmt: skip


def promote(name: str, version: str = CHALLENGER, *, actor: str = "gates") -> PromotionOutcome:
    """Let a challenger become champion if every gate passed and it is not worse than the champion.

    "Not worse": its AUC on the hold-out rows is at most ``gates.champion_tolerance`` below the
    champion's on the same rows, as measured at training. A champion that came in between must be
    met by training again. A refusal is an outcome with its reason, not an error; the version then
    keeps the tag ``promotion_refused``.
    """
    connection = client()
    held = _version(connection, name, version)
    number, previous = str(held.version), alias_version(name, CHAMPION)
    refusal = _refusal(name, held.tags, number, previous)
    if refusal:
        _tag(connection, name, number, {"promotion_refused": refusal})
        return PromotionOutcome(name, number, False, refusal, previous)
    if previous == number:
        return PromotionOutcome(name, number, False, "is champion already", previous)
    reason = "all gates passed" + ("" if previous is None else f"; not worse than version {previous}")
    _crown(connection, name, number, previous, actor=actor, action="model.promote", reason=reason)
    return PromotionOutcome(name, number, True, reason, previous)


def approve(name: str, version: str, *, actor: str, reason: str) -> str:
    """A person lets a version whose gates passed become champion; returns its number.

    Raises
    ------
    UsageError: no such version, no reason, or the approver trained it.
    DataRefusedError: a gate did not pass.
    """
    connection = client()
    held = _version(connection, name, version)
    number, previous = str(held.version), alias_version(name, CHAMPION)
    _require_reason(reason)
    if held.tags.get("gates_passed") != "true":
        failed = [g["gate"] for g in json.loads(held.tags.get("gates", "[]")) if not g["passed"]]
        raise DataRefusedError(
            f"{name} version {number} did not pass its gates: {', '.join(failed) or 'none were run'}",
            hint="a version is never published with a failed gate; train another",
        )
    if held.tags.get("trained_by") == actor:
        raise UsageError(
            f"{actor} trained {name} version {number} and cannot approve it",
            hint="another person must approve (--actor)",
        )
    if previous != number:
        _crown(connection, name, number, previous, actor=actor, action="model.approve", reason=reason)
    return number


def reject(name: str, version: str, *, actor: str, reason: str) -> str:
    """A person refuses a version; it loses the alias challenger. Returns its number.

    Raises
    ------
    UsageError: no such version, no reason, or the version is the champion.
    """
    connection = client()
    number = str(_version(connection, name, version).version)
    _require_reason(reason)
    if alias_version(name, CHAMPION) == number:
        raise UsageError(f"{name} version {number} is the champion", hint="use `creditops models rollback`")
    if alias_version(name, CHALLENGER) == number:
        connection.delete_registered_model_alias(name, CHALLENGER)
    _tag(connection, name, number, _decision("rejected", actor, reason))
    audit.record(actor, "model.reject", name, after={"rejected": number}, reason=reason)
    return number


def rollback(name: str, *, actor: str, reason: str) -> str:
    """Give the alias champion back to the version that held it before; returns that version.

    Raises
    ------
    UsageError: no champion, no reason, or no version before it.
    """
    connection = client()
    _require_reason(reason)
    current = alias_version(name, CHAMPION)
    if current is None:
        raise UsageError(f"{name} has no champion", hint="see `creditops models list`")
    before = _version(connection, name, current).tags.get("champion_before")
    if not before:
        raise UsageError(
            f"{name} version {current} is the first champion: there is none to go back to",
            hint="approve another version instead",
        )
    connection.set_registered_model_alias(name, CHAMPION, before)
    _tag(connection, name, current, _decision("rolled_back", actor, reason))
    _tag(connection, name, before, _decision(CHAMPION, actor, reason))
    audit.record(
        actor, "model.rollback", name,
        before={"champion": current}, after={"champion": before}, reason=reason,
    )  # fmt: skip
    return before


def history(name: str, at: datetime | None = None) -> dict[str, Any] | None:
    """Which version was champion at a time, who let it, and why; ``None`` where there was none."""
    return audit.champion_at(name, at or datetime.now(UTC))


def _refusal(name: str, tags: Mapping[str, str], number: str, previous: str | None) -> str | None:
    if tags.get(STATUS) == "rejected":
        return f"version {number} was rejected: {tags.get('reason', '')}"
    if tags.get("gates_passed") != "true":
        gates = json.loads(tags.get("gates", "[]"))
        failed = "; ".join(gate["detail"] for gate in gates if not gate["passed"])
        return f"gates did not pass: {failed or 'none were run'}"
    if previous is None or previous == number:
        return None
    comparison = json.loads(tags.get("champion_comparison", "null"))
    if comparison is None or comparison["version"] != previous:
        return f"was not compared with champion version {previous}; train again"
    spec = load_scorecards().get(_scorecard(name))
    tolerance = spec.gates.champion_tolerance if spec else 0.0
    if comparison["difference"] < -tolerance:
        return (
            f"worse than champion version {previous}: hold-out AUC {comparison['auc']:.4f} against"
            f" {comparison['champion_auc']:.4f} on the same {comparison['rows']} rows"
        )
    return None


def _crown(
    connection: Any, name: str, number: str, previous: str | None, *, actor: str, action: str, reason: str
) -> None:
    connection.set_registered_model_alias(name, CHAMPION, number)
    if alias_version(name, CHALLENGER) == number:
        connection.delete_registered_model_alias(name, CHALLENGER)
    tags = _decision(CHAMPION, actor, reason) | {"champion_before": previous or ""}
    _tag(connection, name, number, tags)
    if previous is not None:
        _tag(connection, name, previous, {STATUS: "retired"})
    audit.record(
        actor, action, name, before={"champion": previous}, after={"champion": number}, reason=reason
    )


def _decision(status: str, actor: str, reason: str) -> dict[str, str]:
    return {
        STATUS: status,
        "decided_by": actor,
        "decided_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "reason": reason,
    }


def _tag(connection: Any, name: str, version: str, tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        connection.set_model_version_tag(name, version, key, value)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise UsageError("a decision on a model needs a reason", hint="give --reason TEXT")


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
            return [m for m in models if book is None or m.name.partition(".")[0] == book]


def _versions(connection: Any, name: str) -> list[Any]:
    found = connection.search_model_versions(f"name='{name}'", max_results=1000)
    return sorted(found, key=lambda version: int(version.version), reverse=True)


def _version(connection: Any, name: str, version: str) -> Any:
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
        "created_at": datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(
            timespec="seconds"
        ),
        "run_id": version.run_id,
    }


def _scorecard(name: str) -> str:
    return name.partition(".")[2]
