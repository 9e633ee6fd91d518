"""Subjects: what a rule can look at, one row a customer or facility on the observed month end.

``subjects/<name>.yml`` holds the query and its columns with their texts; adding one takes no Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from creditops.expressions import text_literal
from creditops.texts import Text
from creditops.warnings.calendar import last_month_end, month_end, months_earlier

Show = Literal["integer", "money", "percent", "decimal", "date", "text", "flag"]


_TYPES: dict[Show, str] = {
    "integer": "integer",
    "money": "numeric",
    "percent": "double precision",
    "decimal": "double precision",
    "date": "date",
    "text": "text",
    "flag": "boolean",
}


class SubjectColumn(Text):
    """A column of a subject: its name in both languages, how a text shows it, and its SQL type.

    The type follows from the form unless the file names another.
    """

    show: Show
    type: str | None = None

    @property
    def sql_type(self) -> str:
        """Type of the column in the subject's query."""
        return self.type or _TYPES[self.show]


class Presence(BaseModel):
    """The table and its day column that must have rows for the observed day."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    table: str
    day: Literal["observed_on", "as_of"]
    column: str


class Subject(BaseModel):
    """What rules can look at.

    Attributes
    ----------
    grain: what a row is. Every subject has ``customer_id``; one of grain facility ``facility_id``.
    reads: tables; a rule is skipped where one of them is missing.
    needs: other subjects whose rows the query reads by name.
    presence: where rows that vanish from one run to the next mean a missing build, not good news.
    query: select with the placeholders of :func:`placeholders`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    description: Text
    grain: Literal["customer", "facility"]
    reads: list[str]
    needs: list[str] = []
    presence: Presence
    query: str
    columns: dict[str, SubjectColumn]


@lru_cache
def load_subjects() -> dict[str, Subject]:
    """Every subject by name."""
    folder = files("creditops.warnings").joinpath("subjects")
    subjects = [
        Subject.model_validate(yaml.safe_load(entry.read_text(encoding="utf-8")))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yml")
    ]
    return {subject.name: subject for subject in subjects}


def with_needs(names: set[str], subjects: Mapping[str, Subject]) -> list[Subject]:
    """The named subjects and all they need, each after what it needs."""
    ordered: dict[str, Subject] = {}

    def add(name: str) -> None:
        for needed in subjects[name].needs:
            add(needed)
        ordered.setdefault(name, subjects[name])

    for name in sorted(names):
        add(name)
    return list(ordered.values())


def placeholders(book: str, as_of: date, schemas: Mapping[str, str]) -> dict[str, str]:
    """Values of the placeholders of a subject's query.

    ``{book}``, ``{as_of}``; ``{observed_on}``, the last month end on or before it; ``{month_1}`` to
    ``{month_12}``, the month ends before that; ``{day_1m}`` to ``{day_12m}``, the day as many months
    before ``as_of`` (a month end before a month end); and the schemas ``{marts}``, ``{features}``,
    ``{scoring}``.
    """
    observed = last_month_end(as_of)
    days = {"as_of": as_of, "observed_on": observed}
    for months in range(1, 13):
        days[f"month_{months}"] = month_end(observed, months_before=months)
        days[f"day_{months}m"] = months_earlier(as_of, months)
    return {
        "book": text_literal(book),
        **{name: f"date '{day.isoformat()}'" for name, day in days.items()},
        "scoring": "scoring",
        **schemas,
    }
