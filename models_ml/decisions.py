"""What is decided about a version: challenger, promoted, approved, rejected, rolled back, retired.

Every decision moves MLflow's aliases, leaves who, when and why as tags on the version, and a row in
``ops.audit``, since MLflow keeps no history of aliases.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from creditops.errors import DataRefusedError, UsageError
from creditops.settings import get_settings
from models_ml import audit
from models_ml.champion import Comparison
from models_ml.gates import Gate, all_passed
from models_ml.spec import load_scorecards
from models_ml.tracking import CHALLENGER, CHAMPION, client
from models_ml.versions import STATUS, alias_version, find, gates_passed, scorecard_of

_REFUSED = ("rejected", "retired")  # by a person, for good


@dataclass(frozen=True)
class PromotionOutcome:
    """What :func:`promote` decided about ``version``; ``previous`` is the champion before."""

    name: str
    version: str
    promoted: bool
    reason: str
    previous: str | None = None


def approvers() -> list[str]:
    """The people who may let a version become champion (setting ``model_approvers``)."""
    return [each.strip() for each in get_settings().model_approvers.split(",") if each.strip()]


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
    before = alias_version(name, CHALLENGER)
    with audit.recorded(
        actor, "model.train", name,
        before={"challenger": before},
        after={"challenger": version, "gates_passed": passed, **tags},
    ):  # fmt: skip
        _tag(connection, name, version, values)
        connection.set_registered_model_alias(name, CHALLENGER, version)


def promote(name: str, version: str = CHALLENGER, *, actor: str = "gates") -> PromotionOutcome:
    """Let a challenger become champion if every gate passed and it is better than the champion.

    Better: as :meth:`models_ml.champion.Comparison.verdict` finds on rows that are fair to both. A
    champion that came in between must be met by training again. A refusal is an outcome with its
    reason, not an error; the version then keeps the tag ``promotion_refused``.
    """
    connection = client()
    held = find(connection, name, version)
    number, previous = str(held.version), alias_version(name, CHAMPION)
    better, why = _verdict(name, held.tags, number, previous)
    if not better:
        if held.tags.get("promotion_refused") != why:
            with audit.recorded(
                actor, "model.refuse", name,
                before={"champion": previous}, after={"version": number}, reason=why,
            ):  # fmt: skip
                _tag(connection, name, number, {"promotion_refused": why})
        return PromotionOutcome(name, number, False, why, previous)
    if previous == number:
        return PromotionOutcome(name, number, False, "is champion already", previous)
    _crown(connection, name, number, previous, actor=actor, action="model.promote", reason=why)
    return PromotionOutcome(name, number, True, why, previous)


def approve(name: str, version: str, *, actor: str, reason: str) -> str:
    """A person lets a version whose gates passed become champion; returns its number.

    Raises
    ------
    UsageError: no such version, no reason, the approver trained it or may not approve.
    DataRefusedError: a gate did not pass, or the version was rejected or retired.
    """
    connection = client()
    held = find(connection, name, version)
    number, previous = str(held.version), alias_version(name, CHAMPION)
    _require_reason(reason)
    _require_sound(name, number, held.tags)
    if held.tags.get("trained_by") == actor:
        raise UsageError(
            f"{actor} trained {name} version {number} and cannot approve it",
            hint="another person must approve (--actor)",
        )
    if approvers() and actor not in approvers():
        raise UsageError(
            f"{actor} may not approve models", hint=f"ask one of {', '.join(approvers())}"
            " (setting CREDITOPS_MODEL_APPROVERS)",
        )  # fmt: skip
    if previous != number:
        _crown(connection, name, number, previous, actor=actor, action="model.approve", reason=reason)
    return number


def reject(name: str, version: str, *, actor: str, reason: str) -> str:
    """A person refuses a version; it loses the alias challenger. Returns its number.

    Raises
    ------
    UsageError: no such version, no reason, or the version is the champion.
    """
    return _dismiss(name, version, "rejected", "model.reject", actor=actor, reason=reason)


def retire(name: str, version: str, *, actor: str, reason: str) -> str:
    """A person takes a version out of use for good: it can be neither approved nor rolled back to.

    Raises
    ------
    UsageError: no such version, no reason, or the version is the champion.
    """
    return _dismiss(name, version, "retired", "model.retire", actor=actor, reason=reason)


def rollback(name: str, *, actor: str, reason: str) -> str:
    """Give the alias champion back to the sound version that held it before; returns that version.

    Versions that were rejected or retired since are passed over.

    Raises
    ------
    UsageError: no champion, no reason, or no sound version before it.
    """
    connection = client()
    _require_reason(reason)
    current = alias_version(name, CHAMPION)
    if current is None:
        raise UsageError(f"{name} has no champion", hint="see `creditops models list`")
    before, seen = find(connection, name, current).tags.get("champion_before"), {current}
    while before and before not in seen:
        tags = find(connection, name, before).tags
        if gates_passed(tags) and tags.get(STATUS) not in _REFUSED:
            break
        seen.add(before)
        before = tags.get("champion_before")
    if not before or before in seen:
        raise UsageError(
            f"{name} version {current} is the first champion: there is none to go back to",
            hint="approve another version instead",
        )
    with audit.recorded(
        actor, "model.rollback", name,
        before={"champion": current}, after={"champion": before}, reason=reason,
    ):  # fmt: skip
        _tag(connection, name, current, _decision("rolled_back", actor, reason))
        _tag(connection, name, before, _decision(CHAMPION, actor, reason))
        connection.set_registered_model_alias(name, CHAMPION, before)
    return before


def _verdict(name: str, tags: Mapping[str, str], number: str, previous: str | None) -> tuple[bool, str]:
    """Whether a version may become champion without a person, and why or why not."""
    if tags.get(STATUS) in _REFUSED:
        return False, f"version {number} was {tags[STATUS]}: {tags.get('reason', '')}"
    if not gates_passed(dict(tags)):
        gates = json.loads(tags.get("gates", "[]"))
        failed = "; ".join(gate["detail"] for gate in gates if not gate["passed"])
        return False, f"gates did not pass: {failed or 'none were run'}"
    if previous is None or previous == number:
        return True, "all gates passed"
    comparison = Comparison.from_json(tags.get("champion_comparison"))
    if comparison is None or comparison.version != previous:
        return False, f"was not compared with champion version {previous}; train again"
    spec = load_scorecards().get(scorecard_of(name))
    better, why = comparison.verdict(spec.gates.champion_tolerance if spec else 0.0)
    return better, f"all gates passed; {why}" if better else why


def _dismiss(name: str, version: str, status: str, action: str, *, actor: str, reason: str) -> str:
    connection = client()
    number = str(find(connection, name, version).version)
    _require_reason(reason)
    if alias_version(name, CHAMPION) == number:
        raise UsageError(f"{name} version {number} is the champion", hint="use `creditops models rollback`")
    with audit.recorded(actor, action, name, after={"version": number}, reason=reason):
        if alias_version(name, CHALLENGER) == number:
            connection.delete_registered_model_alias(name, CHALLENGER)
        _tag(connection, name, number, _decision(status, actor, reason))
    return number


def _crown(
    connection: Any, name: str, number: str, previous: str | None, *, actor: str, action: str, reason: str
) -> None:
    with audit.recorded(
        actor, action, name, before={"champion": previous}, after={"champion": number}, reason=reason
    ):
        # Tags first: whoever sees the alias sees a whole decision.
        _tag(connection, name, number, _decision(CHAMPION, actor, reason))
        _tag(connection, name, number, {"champion_before": previous or ""})
        connection.set_registered_model_alias(name, CHAMPION, number)
        if alias_version(name, CHALLENGER) == number:
            connection.delete_registered_model_alias(name, CHALLENGER)
        if previous is not None:
            _tag(connection, name, previous, {STATUS: "superseded"})


def _require_sound(name: str, number: str, tags: Mapping[str, str]) -> None:
    if not gates_passed(dict(tags)):
        failed = [g["gate"] for g in json.loads(tags.get("gates", "[]")) if not g["passed"]]
        raise DataRefusedError(
            f"{name} version {number} did not pass its gates: {', '.join(failed) or 'none were run'}",
            hint="a version is never published with a failed gate; train another",
        )
    if tags.get(STATUS) in _REFUSED:
        raise DataRefusedError(
            f"{name} version {number} was {tags[STATUS]} by {tags.get('decided_by')}:"
            f" {tags.get('reason', '')}",
            hint="train another version",
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
