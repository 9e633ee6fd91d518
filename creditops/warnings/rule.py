"""Rules of early warning, as data (domain.md#warning-rule).

``rules/<id>.yml`` holds one rule. What decides (subject, population, condition, severity,
parameters) and what it says are fixed per version: a change needs a new ``version``, which the
warehouse checks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from creditops.errors import UsageError
from creditops.expressions import Number, compile_expression
from creditops.texts import Text
from creditops.warnings.subject import Show, Subject, load_subjects

Severity = Literal["red", "orange", "yellow"]
SEVERITY_RANK: dict[Severity, int] = {"yellow": 1, "orange": 2, "red": 3}
RESPONSES = ("suspend", "reduce_limit", "intensify_collection", "visit", "watch")
KEPT_DAYS = 92
"""Days for which a closed warning stays in the daily states, and the longest quiet time."""

PLACEHOLDER = re.compile(r"\{(?P<name>[a-z_][a-z0-9_]*)(?::(?P<show>[a-z]+))?\}")


class SeverityStep(BaseModel):
    """A severity and when it applies; without ``when`` always."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    level: Severity
    when: str = "true"


class Rule(BaseModel):
    """One version of one rule.

    Attributes
    ----------
    subject: what it looks at, a name in ``subjects/``.
    population: to whom it applies; SQL over the subject's columns.
    condition: when it warns; SQL over the columns and ``{parameter}`` placeholders.
    parameters: thresholds; ``overrides`` replaces them for a book.
    severity: steps, the first whose ``when`` holds counts; the last has none.
    evidence: columns kept with the warning; those that the decision reads are always added.
    text: what a person reads, with ``{column}`` and ``{parameter:show}`` placeholders.
    worst_first: column that picks the facility to show where several of a customer are hit.
    quiet_days: days without a new warning of the same or a lower severity after a person closed one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{2,60}$")
    version: int = Field(ge=1)
    name: Text
    subject: str
    population: str = "true"
    condition: str
    parameters: dict[str, Number] = {}
    overrides: dict[str, dict[str, Number]] = {}
    severity: list[SeverityStep] = Field(min_length=1)
    evidence: list[str] = []
    text: Text
    worst_first: str | None = None
    began_on: str | None = None
    recommended_response: Literal["suspend", "reduce_limit", "intensify_collection", "visit", "watch"]
    quiet_days: int = Field(30, ge=0, le=KEPT_DAYS - 2)
    owner: str
    valid_from: date
    valid_to: date | None = None

    @field_validator("severity", mode="before")
    @classmethod
    def _one_severity_is_a_step(cls, value: Any) -> Any:
        return [{"level": value}] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Rule:
        if self.severity[-1].when != "true" or any(s.when == "true" for s in self.severity[:-1]):
            raise ValueError("severity: the last step, and no other, has no `when`")
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("valid_to is before valid_from")
        for book, values in self.overrides.items():
            unknown = set(values) - set(self.parameters)
            if unknown:
                raise ValueError(f"overrides of {book} name no parameter: {', '.join(sorted(unknown))}")
        return self

    def parameters_of(self, book: str) -> dict[str, Number]:
        """Parameter values that hold for a book."""
        return {**self.parameters, **self.overrides.get(book, {})}

    def in_force(self, day: date) -> bool:
        """Whether the rule applies on ``day``; both ends of its validity count."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def definition(self) -> dict[str, Any]:
        """What decides, as JSON; the part that is fixed per version."""
        decisive = {
            "subject",
            "population",
            "condition",
            "parameters",
            "overrides",
            "severity",
            "evidence",
            "worst_first",
            "quiet_days",
        }
        if self.began_on:
            decisive.add("began_on")
        return self.model_dump(mode="json", include=decisive)

    def said(self) -> dict[str, Any]:
        """What a person reads of it, as JSON; fixed per version as well."""
        return self.model_dump(mode="json", include={"name", "text", "recommended_response"})

    def definition_hash(self) -> str:
        """SHA-256 of :meth:`definition`."""
        return hashlib.sha256(json.dumps(self.definition(), sort_keys=True).encode()).hexdigest()


def read_rule(path: Path) -> Rule:
    """Read and check one rule file.

    Raises
    ------
    UsageError: the file is no valid rule; the message names the file and what is wrong.
    """
    return _checked(path.name, path.read_text(encoding="utf-8"))


@lru_cache
def load_rules() -> tuple[Rule, ...]:
    """Every shipped rule, in order of id and version.

    Raises
    ------
    UsageError: a rule file is not valid, or two are the same version of a rule.
    """
    folder = files("creditops.warnings").joinpath("rules")
    rules = [
        _checked(entry.name, entry.read_text(encoding="utf-8"))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yml")
    ]
    seen: set[tuple[str, int]] = set()
    for rule in rules:
        if (rule.id, rule.version) in seen:
            raise UsageError(
                f"rule {rule.id} has version {rule.version} twice", hint="give one of them a new version"
            )
        seen.add((rule.id, rule.version))
    return tuple(sorted(rules, key=lambda rule: (rule.id, rule.version)))


def rules_in_force(rules: Iterable[Rule], day: date) -> list[Rule]:
    """One version of each rule: the newest that is valid on ``day``."""
    newest: dict[str, Rule] = {}
    for rule in sorted(rules, key=lambda rule: (rule.id, rule.version)):
        if rule.in_force(day):
            newest[rule.id] = rule
    return list(newest.values())


def _checked(name: str, text: str) -> Rule:
    where = f"rule file {name}"
    try:
        rule = Rule.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise UsageError(f"{where} is no YAML: {error}", hint="mind indentation and quotes") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'rule'}: {fault['msg']}" for fault in error.errors()
        )
        raise UsageError(f"{where}: {faults}", hint="see creditops/warnings/rules/README.md") from error
    subjects = load_subjects()
    if rule.subject not in subjects:
        raise UsageError(
            f"{where}: there is no subject {rule.subject!r}", hint=f"one of {', '.join(sorted(subjects))}"
        )
    _check_against(rule, subjects[rule.subject], where)
    return rule


def _check_against(rule: Rule, subject: Subject, where: str) -> None:
    columns = set(subject.columns)
    for part, text in (
        ("population", rule.population),
        ("condition", rule.condition),
        *((f"severity {step.level}", step.when) for step in rule.severity),
    ):
        compile_expression(text, columns=columns, parameters=rule.parameters, where=f"{where}, {part}")
    named = [*rule.evidence, *(name for name in (rule.worst_first, rule.began_on) if name)]
    if rule.began_on in columns and subject.columns[rule.began_on].sql_type != "date":
        raise UsageError(f"{where}: began_on: {rule.began_on} is no date", hint="name a column of dates")
    for text in (rule.text.zh, rule.text.en):
        for match in PLACEHOLDER.finditer(text):
            if match["show"] is not None and match["show"] not in Show.__args__:  # type: ignore[attr-defined]
                raise UsageError(f"{where}: {match[0]} has an unknown form", hint=f"one of {Show}")
            if match["name"] not in rule.parameters:
                named.append(match["name"])
    unknown = sorted(set(named) - columns)
    if unknown:
        raise UsageError(
            f"{where}: {subject.name} has no column {', '.join(unknown)}",
            hint=f"it has {', '.join(sorted(columns))}",
        )
