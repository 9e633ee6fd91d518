"""The source contract as a value: what one source delivers and how.

``schema.json`` beside this module describes the YAML; :mod:`creditops.sources.contract` reads it.
"""

from __future__ import annotations

import codecs
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from creditops.sources.column import Column, Detection
from creditops.sources.date_pattern import expression
from creditops.sources.row_check import Check
from creditops.texts import Text

Domain = Literal["repayment", "financial", "bureau", "reference"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Delivery(_Part):
    """How files arrive.

    Attributes
    ----------
    mode: ``incremental`` (new and changed rows), ``snapshot`` (all rows; a missing one is gone)
        or ``changes`` (change events).
    operation, deletes: of change events, the column that says what happened to the row, and its
        values that take the row away.
    history: in the first delivery of a book rows count as known since the end of their
        ``available`` day, not only since the delivery.
    """

    mode: Literal["incremental", "snapshot", "changes"] = "incremental"
    history: bool = True
    operation: str | None = None
    deletes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _operation_of_changes(self) -> Delivery:
        if self.mode != "changes" and (self.operation or self.deletes):
            raise ValueError("`operation` and `deletes` go with mode changes only")
        if self.deletes and not self.operation:
            raise ValueError("`deletes` needs `operation`, the column that holds these values")
        return self


class FileFormat(_Part):
    """How delivered files are written; ``None`` is found from the file (encoding, delimiter).

    Attributes
    ----------
    skip_lines: lines of a text file, rows of a sheet, before the header.
    header: whether text or a sheet has a header line; without, its columns are the contract's, in order.
    decimal, thousands: marks in money and rate columns.
    null_values: texts that stand for no value.
    date_format: ``strptime`` format of date and ts columns that name none of their own.
    sheet: Excel sheet, default the first.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str = '"'
    skip_lines: int = 0
    header: bool = True
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None
    null_values: tuple[str, ...] = ()
    date_format: str | None = None
    sheet: str | None = None

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        try:
            return None if value is None else codecs.lookup(value).name
        except LookupError:
            raise ValueError(f"{value!r} is no encoding; write one like utf-8, gb18030 or big5") from None

    @model_validator(mode="after")
    def _readable(self) -> FileFormat:
        if self.date_format is not None:
            expression(self.date_format)
        if self.thousands == self.decimal:
            raise ValueError("`thousands` and `decimal` are the same mark")
        if self.delimiter is not None and self.delimiter == self.quote:
            raise ValueError("`delimiter` and `quote` are the same character")
        return self


class Relationship(_Part):
    """Every non-null combination of ``columns`` should exist as ``to_columns`` of source ``to``.

    An orphan is loaded; the raw gate lists it (``warning``) or stops the line (``critical``).
    """

    columns: tuple[str, ...]
    to: str
    to_columns: tuple[str, ...]
    severity: Literal["warning", "critical"] = "warning"

    @model_validator(mode="after")
    def _same_width(self) -> Relationship:
        if len(self.columns) != len(self.to_columns):
            raise ValueError("`columns` and `to_columns` name different numbers of columns")
        return self


class Contract(_Part):
    """What a source delivers; see ``schema.json`` for each key.

    Attributes
    ----------
    key: business key; with ``book`` it identifies a fact, of which later rows are restatements.
    effective: column with the date on which the fact is true.
    available: columns of which the first non-null one is the day the row could first be known;
        empty if the row itself does not say (it is then known when its parent is).
    min_rows_per_delivery, max_rows_per_delivery: how many rows a file usually has; the raw gate
        fails on another number.
    files: name patterns of delivered files, beside ``<source>.*``.
    format: how these files are written.
    extensible: books add columns of their own in ``books/<book>/<source>.yml``.
    book: set on such an extended contract, which has a raw table of its own.
    """

    source: str
    domain: Domain
    version: int
    description: Text
    grain: str
    key: tuple[str, ...]
    effective: str | None = None
    available: tuple[str, ...] = ()
    delivery: Delivery = Delivery()
    freshness_days: int | None = None
    min_rows_per_delivery: int | None = None
    max_rows_per_delivery: int | None = None
    bad_row_limit: float | None = None
    relationships: tuple[Relationship, ...] = ()
    checks: tuple[Check, ...] = ()
    files: tuple[str, ...] = ()
    format: FileFormat = FileFormat()
    extensible: bool = False
    book: str | None = None
    columns: tuple[Column, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Contract:
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the column {', '.join(twice)} is declared twice")
        in_file = [column.file_name for column in self.columns]
        twice = sorted({name for name in in_file if in_file.count(name) > 1})
        if twice:
            raise ValueError(f"two columns are called {twice[0]!r} in the file")
        raw = [column.raw_name for column in self.columns]
        if len(set(raw)) != len(raw):
            raise ValueError("`birth_year` is declared beside a birth date, which becomes birth_year in raw")
        for use, used in (
            ("key", self.key),
            ("effective", (self.effective,) if self.effective else ()),
            ("available", self.available),
            ("delivery.operation", (self.delivery.operation,) if self.delivery.operation else ()),
            *(("relationships", relationship.columns) for relationship in self.relationships),
        ):
            for name in used:
                if name not in names:
                    raise ValueError(f"`{use}` names the column {name!r}, which is not declared")
                column = self.column(name)
                if use == "key" and not column.required:
                    raise ValueError(f"the key column {name!r} must be `required: true`")
                if use == "key" and column.pii == "birth_date":
                    raise ValueError(f"the key column {name!r} would lose its value in raw")
                if use == "key" and column.detect == "mask":
                    raise ValueError(f"`detect: mask` in the key column {name!r} would make keys one")
                if use in ("effective", "available") and column.type not in ("date", "ts"):
                    raise ValueError(f"`{use}` names {name!r}, which is no date or ts")
        low, high = self.min_rows_per_delivery, self.max_rows_per_delivery
        if low is not None and high is not None and low > high:
            raise ValueError(f"`min_rows_per_delivery` {low} is above `max_rows_per_delivery` {high}")
        return self

    @property
    def table(self) -> str:
        """Name of the raw table: the source, with the book where the book extends it."""
        return f"{self.source}_{self.book}" if self.book else self.source

    def column(self, name: str) -> Column:
        """The column called ``name``.

        Raises
        ------
        KeyError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def detection(self, column: Column) -> Detection | None:
        """What becomes of undeclared personal data in a column; ``None`` where none can pass.

        As the column's ``detect`` says; else free text is masked, and an identifier, a code or a text of one
        pattern sends its row to quarantine.
        """
        if column.pii != "none" or not column.is_text:
            return None
        return column.detect or ("mask" if self.is_free_text(column) else "quarantine")

    def is_free_text(self, column: Column) -> bool:
        """Whether a column holds what people write, in which a datum stands among other words."""
        return column.type == "text" and column.pattern is None and column.name not in self.key

    def raw_columns(self) -> list[tuple[str, str, bool]]:
        """(name, PostgreSQL type, nullable) of each contract column in raw, in contract order."""
        return [(column.raw_name, column.postgres_type, not column.required) for column in self.columns]

    def takes_file(self, name: str) -> bool:
        """Whether a delivered file of this name belongs to the source."""
        lower = name.lower()
        return name.split(".", 1)[0] == self.source or any(fnmatchcase(lower, p.lower()) for p in self.files)
