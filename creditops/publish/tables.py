"""The published tables: columns, keys and the query that fills each of them.

``tables/<name>.yml`` is the versioned contract of one view in schema ``publish``: it makes the
storage table ``published.<name>``, the view, the publication gate's column checks and the rows of
the data dictionary.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field

from creditops.texts import Text


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

    ``query`` selects its columns, without ``publication_id``, ``as_of_date`` and ``book``, with
    the parameters ``%(book)s``, ``%(as_of)s`` and ``%(panel_day)s``, the latest month end of the
    panel. Where ``kept_publications`` is given, only so many of a book's newest publications keep their
    rows, and the current one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    version: int
    key: list[str]
    description: Text
    query: str
    columns: list[PublishedColumn]
    kept_publications: int | None = Field(None, ge=1)


@lru_cache
def load_tables() -> dict[str, PublishedTable]:
    """Every published table by name, in alphabetical order."""
    folder = files("creditops.publish").joinpath("tables")
    tables = [
        PublishedTable.model_validate(yaml.safe_load(entry.read_text(encoding="utf-8")))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yml")
    ]
    return {table.name: table for table in tables}
