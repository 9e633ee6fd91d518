"""Expectation suites as data: ``expectations/<gate>/<table>.yml`` and the checkpoints beside them.

A suite names a table and lists Great Expectations expectations (``type`` and arguments) with a
severity: ``critical`` stops the line, ``warning`` is listed in the publication. For raw tables they
stand beside what the source contracts imply (:mod:`creditops.quality.contract_suite`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from creditops.errors import UsageError
from creditops.settings import PROJECT_ROOT

EXPECTATIONS = PROJECT_ROOT / "expectations"
Model = TypeVar("Model", bound=BaseModel)
Gate = Literal["raw", "publication"]


class ExpectationSpec(BaseModel):
    """One expectation: the library's type, its arguments, how bad a failure is, what it protects."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    type: str
    severity: Literal["critical", "warning"] = "critical"
    description: str | None = None
    kwargs: dict[str, Any] = {}


class Suite(BaseModel):
    """The expectations of one table."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    table: str
    expectations: tuple[ExpectationSpec, ...]


class Checkpoint(BaseModel):
    """What a gate validates: the suites of one folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    gate: Gate
    suites: str


def load_checkpoint(gate: Gate) -> Checkpoint:
    """The checkpoint of a gate, from ``expectations/checkpoints/<gate>.yml``."""
    return _read(EXPECTATIONS / "checkpoints" / f"{gate}.yml", Checkpoint)


def load_suites(checkpoint: Checkpoint) -> dict[str, Suite]:
    """Suites of a checkpoint by table, sorted.

    Raises
    ------
    UsageError: a file is not a suite, or its name is not its table's.
    """
    suites: dict[str, Suite] = {}
    for path in sorted((EXPECTATIONS / checkpoint.suites).glob("*.yml")):
        suite = _read(path, Suite)
        if suite.table != path.stem:
            raise UsageError(f"{path}: table: {suite.table!r} is not the file's name", hint="rename either")
        suites[suite.table] = suite
    return suites


def _read(path: Path, model: type[Model]) -> Model:
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise UsageError(f"{path}: {error}", hint="mend the file; see docs/quality.md") from error
