"""A policy version: one YAML file below ``versions/<book>/``, or ``versions/default/`` for other books.

A version is in force from its ``valid_from`` until the next version's. Files of one's own, in
``<home>/policy/<book>/``, take the place of the shipped ones for that book.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from creditops.errors import UsageError
from creditops.grades import GRADES as SCALE
from creditops.settings import get_settings
from creditops.texts import Text

GRADES = (*SCALE, "ungraded")
Product = Literal["instalment_loan", "revolving_card", "term_loan", "trade_credit"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Standard(_Part):
    """A lending standard (授信标准): an application for which ``decline_when`` holds is declined.

    Attributes
    ----------
    decline_when: expression over the columns of ``fct_application_input`` with ``{parameters}``;
        a condition that is null, because an input is not known, does not decline.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    text: Text
    decline_when: str
    parameters: dict[str, int | float] = {}


class RiseRules(_Part):
    """What a customer must be like for a limit to rise, and by how much at once."""

    best_grades: list[str]
    min_mob: int = Field(ge=0)
    max_worst_dpd_12m: int = Field(ge=0)
    min_utilisation: float = Field(ge=0)
    max_step: float = Field(gt=0, description="Largest rise, as a share of the current limit.")


class TermRules(_Part):
    """What a customer must be like for longer terms, and how much longer.

    Attributes
    ----------
    max_step: most at once, per product type: days of an invoice's terms, months of the next loan.
    most: longest terms, in the same unit.
    """

    best_grades: list[str]
    min_mob: int = Field(ge=0)
    max_worst_dpd_12m: int = Field(ge=0)
    max_step: dict[Product, int]
    most: dict[Product, int]

    @model_validator(mode="after")
    def _same_products(self) -> TermRules:
        if set(self.max_step) != set(self.most):
            raise ValueError("max_step and most must name the same product types")
        return self


class LimitRules(_Part):
    """Limit rules (额度规则). Amounts in the book's currency.

    Attributes
    ----------
    caps: most a customer may have per product type and grade.
    income_multiple: k of retail capacity k x monthly income - existing monthly debt service.
    min_dscr, years: corporate capacity = yearly EBIT / min_dscr x years.
    grade_factor: trade capacity = mean monthly credit sales x terms in months x factor of the grade.
    terms_months: terms of a trade customer without an invoice that tells them.
    group_cap: most that the members of a group may have together.
    concentration_share: most one customer may have, as a share of the book's exposure.
    rounding: limits are rounded down to a multiple of it.
    rise, terms: higher limits and longer terms for good customers; without ``terms`` there are none.
    """

    rounding: int = Field(ge=1)
    caps: dict[Product, dict[str, float]]
    income_multiple: dict[Product, float]
    min_dscr: float = Field(gt=0)
    years: float = Field(gt=0)
    terms_months: float = Field(gt=0)
    grade_factor: dict[str, float]
    group_cap: float = Field(gt=0)
    concentration_share: float = Field(gt=0, le=1)
    rise: RiseRules
    terms: TermRules | None = None

    @field_validator("caps")
    @classmethod
    def _every_grade(cls, caps: dict[Product, dict[str, float]]) -> dict[Product, dict[str, float]]:
        for product, by_grade in caps.items():
            if missing := [grade for grade in GRADES if grade not in by_grade]:
                raise ValueError(f"caps.{product} names no cap for grade {', '.join(missing)}")
        return caps


class Stage(_Part):
    """A stage of collection, from a number of days past due on."""

    stage: Literal["reminder", "call", "visit", "legal"]
    from_dpd: int = Field(ge=1)
    strategy: str
    urgency: float = Field(gt=0, description="Weight of the stage in the priority.")
    contacts_per_week: int = Field(ge=0)


class CollectionRules(_Part):
    """Collection strategy (逾期催收策略).

    Attributes
    ----------
    capacity: customers one collector is given at most.
    intensify: how much more a customer weighs while an intensified collection is approved.
    """

    stages: list[Stage]
    capacity: int = Field(ge=1)
    intensify: float = Field(1.5, ge=1)

    @field_validator("stages")
    @classmethod
    def _ascending(cls, stages: list[Stage]) -> list[Stage]:
        if not stages or stages[0].from_dpd != 1:
            raise ValueError("the first stage must begin at from_dpd: 1")
        if sorted({each.from_dpd for each in stages}) != [each.from_dpd for each in stages]:
            raise ValueError("stages must be in ascending order of from_dpd")
        return stages


class PolicyVersion(_Part):
    """One version of a book's credit policy."""

    version: str
    valid_from: date
    approved_by: str
    title: Text
    standards: list[Standard]
    limits: LimitRules
    collection: CollectionRules

    @model_validator(mode="after")
    def _unique_standards(self) -> PolicyVersion:
        names = [each.id for each in self.standards]
        if len(names) != len(set(names)):
            raise ValueError("two standards have the same id")
        return self

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    def definition(self) -> dict[str, Any]:
        """What its file says, which is fixed once the version has decided."""
        return self.model_dump(mode="json", exclude_unset=True)


def read_policy(path: Path | Traversable) -> PolicyVersion:
    """A policy version from a YAML file.

    Raises
    ------
    UsageError: the file does not say what a version needs; with file and place.
    """
    try:
        return PolicyVersion.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except (yaml.YAMLError, ValidationError) as error:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            detail = f"{where}: {first['msg']}"
        else:
            detail = str(error).replace("\n", " ")
        raise UsageError(
            f"{path.name}: {detail}", hint="compare with the versions that `creditops policy list` shows"
        ) from error


@lru_cache
def _load(book: str, home: Path) -> tuple[PolicyVersion, ...]:
    shipped = files("creditops.policy").joinpath("versions")
    folders: Sequence[Path | Traversable] = (home / "policy" / book, shipped.joinpath(book))
    folder = next((each for each in folders if each.is_dir()), shipped.joinpath("default"))
    found = [
        read_policy(entry)
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yml")
    ]
    found.sort(key=lambda each: each.valid_from)
    if len({each.valid_from for each in found}) != len(found):
        raise UsageError(f"two policy versions of book {book} begin on the same day")
    if not found:
        raise UsageError(f"{folder} holds no policy version (*.yml)")
    return tuple(found)


def load_policies(book: str) -> tuple[PolicyVersion, ...]:
    """Every version of a book's policy, oldest first."""
    return _load(book, get_settings().home)


def policy_in_force(book: str, day: date) -> PolicyVersion:
    """The version in force on a day.

    Raises
    ------
    UsageError: the book's first version begins later.
    """
    valid = [each for each in load_policies(book) if each.valid_from <= day]
    if not valid:
        raise UsageError(
            f"no policy of book {book} is in force on {day}",
            hint=f"its first version begins on {load_policies(book)[0].valid_from}",
        )
    return valid[-1]


def policy_before(book: str, version: str) -> PolicyVersion | None:
    """The version that a version took the place of, or ``None`` for the first."""
    versions = load_policies(book)
    at = [each.version for each in versions].index(version)
    return versions[at - 1] if at else None
