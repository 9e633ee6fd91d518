"""Challengers that wait for a person: the question, who may answer it, and what an answer does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from creditops.identity import current_actor
from creditops.personal_data import masked
from models_ml.lifecycle import decisions, registry
from models_ml.run import retraining
from models_ml.spec import scorecards_of
from models_ml.store import audit, version_store
from models_ml.store.tracking import registered_name, tracking_uri
from models_ml.store.version_store import CHALLENGER

APPROVE, REJECT = "Approve", "Reject"


@dataclass(frozen=True)
class Question:
    """A challenger to decide on. ``body`` is Markdown; ``approvers`` never holds who trained it."""

    name: str
    version: str
    subject: str
    body: str
    approvers: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def pending(book: str) -> list[Question]:
    """Challengers of the book that passed their gates and whose promotion is by approval."""
    questions = []
    for spec in scorecards_of(book):
        name = registered_name(book, spec.name)
        if retraining.promotion_of(spec) != "approval":
            continue
        version = registry.alias_version(name, CHALLENGER)
        if version is not None and registry.show(name, version)["gates"]:
            found = registry.show(name, version)
            if all(gate["passed"] for gate in found["gates"]):
                questions.append(_question(spec.title.en, spec.title.zh, found))
    return questions


def submit(book: str) -> list[Question]:
    """The pending questions nobody was asked yet; they count as asked from now on."""
    asked = []
    actor = current_actor()
    for question in pending(book):
        if question.version not in version_store.state_of(question.name).submitted:
            held = version_store.find(question.name, question.version)
            with audit.recorded(
                actor, "model.submit", question.name,
                after={"version": question.version, "approvers": question.approvers},
            ) as connection:  # fmt: skip
                version_store.decide(connection, held, "submit", actor=actor)
            asked.append(question)
    return asked


def decide(name: str, version: str, *, option: str, actor: str, reason: str) -> dict[str, Any]:
    """Carry out a person's answer.

    An answer on a version that is no longer the challenger (a newer one was trained, or somebody
    decided elsewhere) does nothing and says so.

    Returns
    -------
    name, version, option, actor, promoted.

    Raises
    ------
    UsageError: no reason; the actor trained it or may not approve.
    DataRefusedError: a gate did not pass.
    """
    reason = masked(reason)
    done = {"name": name, "version": version, "option": option, "actor": actor, "promoted": False}
    if registry.alias_version(name, CHALLENGER) != version:
        return done | {"option": "superseded"}
    if option == APPROVE:
        registry.approve(name, version, actor=actor, reason=reason)
        return done | {"promoted": True}
    registry.reject(name, version, actor=actor, reason=reason)
    return done


def _question(title: str, title_zh: str, found: dict[str, Any]) -> Question:
    metrics, comparison = found["metrics"], found["champion_comparison"]
    lines = [
        f"**{title}** ({title_zh}), version {found['version']}, as of {found['as_of']},"
        f" trained by {found['trained_by']}"
        + (f" because {found['trained_because']}" if found["trained_because"] else "")
        + ".",
        "",
        "| figure | value |",
        "|---|---|",
    ]
    for split in ("hold_out", "out_of_time"):
        if f"{split}_auc" in metrics:
            low, high = (metrics.get(f"{split}_auc_{end}", float("nan")) for end in ("low", "high"))
            lines.append(f"| AUC, {split} | {metrics[f'{split}_auc']:.4f} [{low:.4f}, {high:.4f}] |")
            lines.append(f"| PSI, {split} | {metrics.get(f'{split}_psi', float('nan')):.4f} |")
    lines += [f"| gate {gate['gate']} | passed: {gate['detail']} |" for gate in found["gates"]]
    if comparison:
        lines.append(
            f"| against champion version {comparison['version']} | AUC {comparison['difference']:+.4f},"
            f" DeLong p {comparison['p_value']:.3f}, {comparison['rows']} rows |"
        )
    lines += [
        "",
        f"Validation pack: {tracking_uri()}/#/models/{found['name']}/versions/{found['version']}"
        f" (run {found['run_id']}, validation_pack.html).",
        "A reason is needed. 请阅读验证报告后批准或拒绝，并填写理由。",
    ]
    theirs = decisions.authors(version_store.find(found["name"], found["version"]))
    allowed = [person for person in registry.approvers() if person not in theirs]
    return Question(
        found["name"],
        found["version"],
        f"Approve {found['name']} version {found['version']} as champion? 是否批准为冠军模型？",
        "\n".join(lines),
        allowed,
    )
