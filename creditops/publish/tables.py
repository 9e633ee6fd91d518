"""The published tables: columns and keys, as the dbt models that fill them say.

A model of layer ``serving`` (``dbt_project/models/serving/<subject>/<name>.sql``) is the view of schema
``publish`` that bears its name. The YAML beside it is the versioned contract of that view: it makes the
storage table ``published.<name>``, the view, the publication gate's column checks and the rows of the data
dictionary.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from creditops.settings import PROJECT_ROOT
from creditops.texts import Text

SERVING = PROJECT_ROOT / "dbt_project" / "models" / "serving"


class PublishedColumn(BaseModel):
    """A column of a published view."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    type: str
    unit: str | None = None
    source: str
    description: Text


class PublishedTable(BaseModel):
    """A published view.

    ``columns`` are its own, without ``publication_id``, ``as_of_date`` and ``book``. Where
    ``kept_publications`` is given, only so many of a book's newest publications keep their rows, and the
    current one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    subject: str
    version: int
    key: list[str]
    description: Text
    columns: list[PublishedColumn]
    kept_publications: int | None = Field(None, ge=1)


@lru_cache
def load_tables() -> dict[str, PublishedTable]:
    """Every published table by name, in alphabetical order."""
    tables = [
        _table(path, model)
        for path in SERVING.glob("*/*.yml")
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", ())
        if "key" in model["config"]["meta"]  # the others are steps on the way to one that is published
    ]
    return {table.name: table for table in sorted(tables, key=lambda table: table.name)}


def _table(path: Path, model: dict[str, Any]) -> PublishedTable:
    about = dict(model["config"]["meta"])
    return PublishedTable(
        name=model["name"],
        subject=path.parent.name,
        description=Text(zh=about.pop("zh"), en=model["description"]),
        columns=[_column(column) for column in model["columns"] if column["name"] != "book"],
        **about,
    )


def _column(column: dict[str, Any]) -> PublishedColumn:
    about = dict(column["config"]["meta"])
    text = Text(zh=about.pop("zh"), en=column["description"])
    return PublishedColumn(name=column["name"], type=column["data_type"], description=text, **about)
