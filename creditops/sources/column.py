"""A column of a source contract: its type, domain, personal-data class and raw form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from creditops.books import parse_day
from creditops.errors import UsageError
from creditops.sources.date_pattern import expression
from creditops.texts import Text

ColumnType = Literal["id", "money", "rate", "date", "ts", "code", "bool", "int", "bigint", "text"]
PiiClass = Literal["none", "name", "national_id", "phone", "address", "account", "email", "birth_date"]
Detection = Literal["quarantine", "mask", "allow"]

POSTGRES_TYPES: Mapping[ColumnType, str] = {
    "id": "text",
    "money": "numeric(18,2)",
    "rate": "double precision",
    "date": "date",
    "ts": "timestamptz",
    "code": "text",
    "bool": "boolean",
    "int": "integer",
    "bigint": "bigint",
    "text": "text",
}

# What a value may be where the contract names no bound of its own: the range that the raw type
# holds, and for times a range outside which a value is a slip of the pen.
_TYPE_BOUNDS: Mapping[str, tuple[int | str, int | str]] = {
    "date": ("1990-01-01", "2100-01-01"),
    "ts": ("1990-01-01", "2100-01-01"),
    "money": (-9_999_999_999_999_999, 9_999_999_999_999_999),
    "int": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
_TYPE_MAX_LENGTH: Mapping[str, int] = {"id": 64, "code": 64}


class Column(BaseModel):
    """One column of a source in canonical form.

    Attributes
    ----------
    header: name of the column in the delivered file; default its own.
    date_format: how the file writes a ``date`` or ``ts`` (:mod:`creditops.sources.date_pattern`); default
        ISO 8601.
    required: an empty value is a fault of the row.
    unit: what a number counts (``currency``, ``days``, ``months``, ``per year``, ...).
    values, labels: the codes that are allowed, and what each means where the contract says so.
    min, max: inclusive bounds; a number, or an ISO date for ``date`` and ``ts`` (a ``ts`` is
        compared by its calendar day). Always set for date, ts, money, int and bigint.
    pattern: regular expression that the whole value must match.
    pii: class of personal data. Anything but ``none`` is replaced by its keyed hash before it
        reaches raw; ``birth_date`` is replaced by the year of birth.
    detect: what becomes of a cell that is found to hold personal data though the column is not ``pii``
        (:mod:`creditops.personal_data`): ``quarantine`` the row, ``mask`` the datum, ``allow`` it for the
        reason in ``detect_reason``. Default: :meth:`creditops.sources.model.Contract.detection`.
    special_values: values that are states, not quantities (characteristics only).
    direction: how the default rate moves as the value rises (characteristics only).
    protected: an attribute that decisions may not rest on (fairness checks only).
    percent: the file writes per cent (``7.25`` or ``7.25%``); raw holds the share (``0.0725``).
    null_values: texts that stand for no value in this column, beside those of the file's format.
    past: a ``date`` or ``ts`` of what has happened: a day after that of the delivery is a fault, and two
        digits of a year are of the past.
    normalise: text in compatibility form (NFKC: full-width digits become digits) and without invisible
        characters; without it an identifier that holds such is a fault.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: ColumnType
    header: str | None = None
    date_format: str | None = None
    required: bool = False
    unit: str | None = None
    values: tuple[str, ...] | None = None
    labels: dict[str, Text] = {}
    min: int | float | str | None = None
    max: int | float | str | None = None
    pattern: str | None = None
    max_length: int | None = None
    pii: PiiClass = "none"
    detect: Detection | None = None
    detect_reason: str | None = None
    description: Text
    special_values: dict[str, Text] = {}
    direction: Literal["none", "ascending", "descending"] | None = None
    protected: bool = False
    percent: bool = False
    null_values: tuple[str, ...] = ()
    past: bool = False
    normalise: bool = False

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        """Split described codes into codes and labels; fill in the bounds of the type."""
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if isinstance(data.get("values"), dict):
            data["labels"] = data["values"]
            data["values"] = tuple(data["values"])
        low, high = _TYPE_BOUNDS.get(data.get("type", ""), (None, None))
        data["min"] = low if data.get("min") is None else data["min"]
        data["max"] = high if data.get("max") is None else data["max"]
        if data.get("max_length") is None:
            data["max_length"] = _TYPE_MAX_LENGTH.get(data.get("type", ""))
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Column:
        numeric = self.type in ("money", "rate", "int", "bigint")
        temporal = self.type in ("date", "ts")
        if self.type == "code" and not (self.values or self.pattern):
            raise ValueError("a code needs `values` or a `pattern`")
        if self.values and self.type not in ("code", "text", "id"):
            raise ValueError(f"`values` do not go with type {self.type}; use `min` and `max`")
        if (self.min is not None or self.max is not None) and not (numeric or temporal):
            raise ValueError(f"`min` and `max` do not go with type {self.type}")
        for bound in (self.min, self.max):
            if bound is not None and temporal:
                _iso_date(bound)
            elif isinstance(bound, str):
                raise ValueError(f"the bound {bound!r} of a {self.type} must be a number")
        if self.min is not None and self.max is not None and self.min > self.max:  # type: ignore[operator]
            raise ValueError(f"`min` {self.min} is above `max` {self.max}")
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"`pattern` is no regular expression: {error}") from error
        if self.date_format is not None and not temporal:
            raise ValueError(f"`date_format` does not go with type {self.type}")
        if self.date_format is not None:
            expression(self.date_format)
        if self.past and not temporal:
            raise ValueError(f"`past` does not go with type {self.type}")
        if self.normalise and self.type not in ("id", "code", "text"):
            raise ValueError(f"`normalise` does not go with type {self.type}")
        if self.percent and self.type != "rate":
            raise ValueError(f"`percent` does not go with type {self.type}; use type rate")
        if self.pii == "birth_date" and self.type != "date":
            raise ValueError("`pii: birth_date` needs type date")
        if self.pii not in ("none", "birth_date") and self.type not in ("text", "id"):
            raise ValueError(f"`pii: {self.pii}` needs type text or id, because its hash is text")
        self._check_detection()
        return self

    def _check_detection(self) -> None:
        if self.detect is not None and self.pii != "none":
            raise ValueError("`detect` does not go with `pii`: no value of the column gets past the door")
        if self.detect is not None and not self.is_text:
            raise ValueError("`detect` goes with id, text, bigint, and code without `values`")
        if self.detect == "mask" and self.type != "text":
            raise ValueError("`detect: mask` goes with type text only: masked identifiers would be one")
        if (self.detect == "allow") != bool(self.detect_reason and self.detect_reason.strip()):
            raise ValueError("`detect: allow` needs its reason in `detect_reason`, and only it does")

    @property
    def is_text(self) -> bool:
        """Whether the column takes text of any content, or whole numbers as long as an identity number."""
        return self.type in ("id", "text", "code", "bigint") and self.values is None

    @property
    def file_name(self) -> str:
        """Name of the column in a delivered file."""
        return self.header or self.name

    @property
    def is_past(self) -> bool:
        """Whether its days lie before the delivery, or on its day."""
        return self.past or self.pii == "birth_date"

    @property
    def is_hashed(self) -> bool:
        """Whether raw holds the keyed hash of this column instead of its value."""
        return self.pii not in ("none", "birth_date")

    @property
    def raw_name(self) -> str:
        """Name of the column in raw: ``birth_year`` for a birth date, otherwise its own."""
        return "birth_year" if self.pii == "birth_date" else self.name

    @property
    def postgres_type(self) -> str:
        """Type of the column in raw."""
        if self.pii == "birth_date":
            return "integer"
        return "text" if self.is_hashed else POSTGRES_TYPES[self.type]


def _iso_date(bound: float | str) -> date:
    try:
        return parse_day(str(bound))
    except UsageError:
        raise ValueError(f'the bound {bound!r} must be a date like "1990-01-01"') from None
