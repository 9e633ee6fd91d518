"""What is decided about a version: challenger, promoted, approved, rejected, rolled back, retired.

Every decision is a row of ``ops.model_decision`` and of ``ops.audit``, in one transaction; MLflow's aliases
and tags follow as a mirror, for people to look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from creditops.errors import DataRefusedError, UsageError
from creditops.settings import get_settings
from models_ml.spec import load_scorecards
from models_ml.store import artefact, audit, mirror, version_store
from models_ml.store.version_store import CHALLENGER, State, Version
from models_ml.validate.champion_comparison import Comparison
from models_ml.validate.gates import Gate

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
    name: str, version: str, *, actor: str, gates: Sequence[Gate], tags: Mapping[str, str],
    params: Mapping[str, Any] | None = None, metrics: Mapping[str, float] | None = None,
    run_id: str | None = None,
) -> None:  # fmt: skip
    """Register a freshly logged version in the warehouse and make it the challenger.

    Parameters
    ----------
    actor: who trained it.
    tags: facts shown beside it: as_of, seed, snapshot_id, code_version, auc_holdout, champion_comparison.
    params, metrics, run_id: of its run; read from MLflow by default.

    Raises
    ------
    UsageError: the version is registered already.
    """
    if params is None or metrics is None or run_id is None:
        run_id, params, metrics = mirror.run_of(name, version)
    held = Version(
        name, version, actor, run_id, [gate.as_dict() for gate in gates], dict(tags),
        dict(params), dict(metrics), artefact.content_of(name, version),
    )  # fmt: skip
    before = version_store.state_of(name).challenger
    with audit.recorded(
        actor, "model.train", name,
        before={"challenger": before},
        after={"challenger": version, "gates_passed": held.gates_passed, **tags},
    ) as connection:  # fmt: skip
        version_store.register(held, connection=connection)
        version_store.decide(connection, held, "train", actor=actor)
    mirror.show(name)


def promote(name: str, version: str = CHALLENGER, *, actor: str = "gates") -> PromotionOutcome:
    """Let a challenger become champion if every gate passed and it is better than the champion.

    Better: as :meth:`.champion_comparison.Comparison.verdict` finds on rows that are fair to both. A
    champion that came in between must be met by training again. A refusal is an outcome with its reason,
    not an error.
    """
    held, state = version_store.find(name, version), version_store.state_of(name)
    number, previous = held.version, state.champion
    better, why = _verdict(held, state)
    if not better:
        if state.refused.get(number) != why:
            with audit.recorded(
                actor, "model.refuse", name,
                before={"champion": previous}, after={"version": number}, reason=why,
            ) as connection:  # fmt: skip
                version_store.decide(connection, held, "refuse", actor=actor, reason=why)
            mirror.show(name)
        return PromotionOutcome(name, number, False, why, previous)
    if previous == number:
        return PromotionOutcome(name, number, False, "is champion already", previous)
    _crown(held, previous, actor=actor, action="promote", reason=why)
    return PromotionOutcome(name, number, True, why, previous)


def approve(name: str, version: str, *, actor: str, reason: str) -> str:
    """A person lets a version whose gates passed become champion; returns its number.

    Raises
    ------
    UsageError: no such version, no reason, the approver trained it or may not approve.
    DataRefusedError: a gate did not pass, or the version was rejected or retired.
    """
    held, state = version_store.find(name, version), version_store.state_of(name)
    _require_reason(reason)
    _require_sound(held, state)
    _require_other_person(held, actor)
    _require_approver(actor)
    if state.champion != held.version:
        _crown(held, state.champion, actor=actor, action="approve", reason=reason)
    return held.version


def reject(name: str, version: str, *, actor: str, reason: str) -> str:
    """A person refuses a version; it loses the alias challenger. Returns its number.

    Raises
    ------
    UsageError: no such version, no reason, the person may not, or the version is the champion.
    """
    return _dismiss(name, version, "reject", actor=actor, reason=reason)


def retire(name: str, version: str, *, actor: str, reason: str) -> str:
    """A person takes a version out of use for good: it can be neither approved nor rolled back to.

    Raises
    ------
    UsageError: no such version, no reason, the person may not, or the version is the champion.
    """
    return _dismiss(name, version, "retire", actor=actor, reason=reason)


def rollback(name: str, *, actor: str, reason: str) -> str:
    """Give the alias champion back to the sound version that held it before; returns that version.

    Versions that were rejected or retired since are passed over.

    Raises
    ------
    UsageError: no champion, no reason, the person may not, or no sound version before it.
    """
    _require_reason(reason)
    _require_approver(actor)
    state = version_store.state_of(name)
    current = state.champion
    if current is None:
        raise UsageError(f"{name} has no champion", hint="see `creditops models list`")
    held = {each.version: each for each in version_store.versions(name=name)}
    before, seen = state.came_after.get(current), {current}
    while before and before not in seen:
        if held[before].gates_passed and state.status.get(before) not in _REFUSED:
            break
        seen.add(before)
        before = state.came_after.get(before)
    if not before or before in seen:
        raise UsageError(
            f"{name} version {current} is the first champion: there is none to go back to",
            hint="approve another version instead",
        )
    _crown(held[before], current, actor=actor, action="rollback", reason=reason)
    return before


def _verdict(held: Version, state: State) -> tuple[bool, str]:
    """Whether a version may become champion without a person, and why or why not."""
    number, previous = held.version, state.champion
    if state.status.get(number) in _REFUSED:
        return False, f"version {number} was {state.status[number]}: {state.last[number].reason or ''}"
    if not held.gates_passed:
        failed = "; ".join(gate["detail"] for gate in held.gates if not gate["passed"])
        return False, f"gates did not pass: {failed or 'none were run'}"
    if previous is None or previous == number:
        return True, "all gates passed"
    comparison = Comparison.from_json(held.facts.get("champion_comparison"))
    if comparison is None or comparison.version != previous:
        return False, f"was not compared with champion version {previous}; train again"
    spec = load_scorecards().get(held.scorecard)
    better, why = comparison.verdict(spec.gates.champion_tolerance if spec else 0.0)
    return better, f"all gates passed; {why}" if better else why


def _dismiss(name: str, version: str, action: version_store.Action, *, actor: str, reason: str) -> str:
    held, state = version_store.find(name, version), version_store.state_of(name)
    _require_reason(reason)
    _require_approver(actor)
    if state.champion == held.version:
        raise UsageError(
            f"{name} version {held.version} is the champion", hint="use `creditops models rollback`"
        )
    with audit.recorded(
        actor, f"model.{action}", name, after={"version": held.version}, reason=reason
    ) as connection:
        version_store.decide(connection, held, action, actor=actor, reason=reason)
    mirror.show(name)
    return held.version


def _crown(
    held: Version, previous: str | None, *, actor: str, action: version_store.Action, reason: str
) -> None:
    with audit.recorded(
        actor, f"model.{action}", held.name,
        before={"champion": previous}, after={"champion": held.version}, reason=reason,
    ) as connection:  # fmt: skip
        version_store.decide(connection, held, action, actor=actor, reason=reason, champion_before=previous)
    mirror.show(held.name)


def _require_sound(held: Version, state: State) -> None:
    if not held.gates_passed:
        failed = [gate["gate"] for gate in held.gates if not gate["passed"]]
        raise DataRefusedError(
            f"{held.name} version {held.version} did not pass its gates:"
            f" {', '.join(failed) or 'none were run'}",
            hint="a version is never published with a failed gate; train another",
        )
    if state.status.get(held.version) in _REFUSED:
        last = state.last[held.version]
        raise DataRefusedError(
            f"{held.name} version {held.version} was {state.status[held.version]} by {last.actor}:"
            f" {last.reason or ''}",
            hint="train another version",
        )


def authors(held: Version) -> frozenset[str]:
    """Who trained a version, and everybody who asked for that training."""
    book, day = held.name.partition(".")[0], str(held.facts.get("as_of"))
    return audit.who_asked(book, day, held.registered_at) | {held.trained_by}


def _require_other_person(held: Version, actor: str) -> None:
    if actor in authors(held):
        raise UsageError(
            f"{actor} trained {held.name} version {held.version}, or asked for it, and cannot approve it",
            hint="another person must approve (--actor)",
        )


def _require_approver(actor: str) -> None:
    if approvers() and actor not in approvers():
        raise UsageError(
            f"{actor} may not approve models", hint=f"ask one of {', '.join(approvers())}"
            " (setting CREDITOPS_MODEL_APPROVERS)",
        )  # fmt: skip


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise UsageError("a decision on a model needs a reason", hint="give --reason TEXT")
