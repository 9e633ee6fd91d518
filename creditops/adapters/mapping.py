"""The parts of an adapter's YAML: inputs, outputs and how a value is found."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from creditops.texts import Text

_PERIOD = re.compile(r"(?:([1-9]\d{0,3}) )?(day|week|month|quarter|half year|year)s?")
_OFFSETS = {"day": "d", "week": "w", "month": "mo", "quarter": "mo", "half year": "mo", "year": "mo"}
_LENGTHS = {"day": 1, "week": 1, "month": 1, "quarter": 3, "half year": 6, "year": 12}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class SourceDelivery(_Part):
    """When one source was delivered, and whether as a take-over of history."""

    day: date | None = None
    history: bool | None = None


class AdapterDelivery(SourceDelivery):
    """The same for all sources, and the sources that differ."""

    sources: dict[str, SourceDelivery] = {}


class Input(_Part):
    """One kind of file of the foreign system: delimited text, a sheet, Parquet or JSON lines.

    Attributes
    ----------
    files: name patterns.
    columns: columns the file must have; without a ``header`` all its columns, in order.
    sheet: of a workbook; default the first.
    """

    files: tuple[str, ...]
    columns: tuple[str, ...]
    optional: bool = False
    encoding: str = "utf-8"
    separator: str = ","
    quote: str = '"'
    comment: str | None = None
    skip_lines: int = 0
    header: bool = True
    sheet: str | None = None
    null_values: tuple[str, ...] = ()


class Value(_Part):
    """How one canonical column is found: a column, an expression or a constant, then translated.

    A code that ``values`` does not list becomes ``unmapped: <code>``, which no contract lets
    pass for a code, a number or a boolean, so that the row is quarantined with the code shown.
    """

    column: str | None = None
    expression: str | None = None
    constant: str | None = None
    values: dict[str, str] | None = None
    date_format: str | None = None


class Unpivot(_Part):
    """One row per entry of ``rows`` for each input row; ``name`` holds the entry."""

    name: str
    rows: dict[str, dict[str, str]]

    @model_validator(mode="after")
    def _same_columns(self) -> Unpivot:
        first, *others = [set(columns) for columns in self.rows.values()]
        if any(other != first for other in others):
            raise ValueError("every entry of `rows` must name the same new columns")
        return self


class Join(_Part):
    """Looks up one row of another input for each row; its columns are then called ``<name>.<column>``.

    Attributes
    ----------
    on: column here to column there; a list of names where both call it the same. The column here may
        be one of an earlier join (``accounts.branch``).
    alias: the ``<name>``, default the input's.
    where: condition on the rows looked among. Where two of them that differ fit, the delivery is refused.
    missing: what becomes of a row without a partner: kept with empty columns, or left out and counted.
    """

    input: str
    on: dict[str, str]
    alias: str | None = Field(None, alias="as")
    where: str | None = None
    missing: Literal["keep", "leave_out"] = "keep"

    @field_validator("on", mode="before")
    @classmethod
    def _same_names(cls, value: Any) -> Any:
        return {name: name for name in value} if isinstance(value, list) else value

    @property
    def name(self) -> str:
        """What the columns are called by."""
        return self.alias or self.input


class Dates(_Part):
    """A day for each generated row.

    Attributes
    ----------
    name: new column, a date.
    start: the day that is counted from.
    first: periods from ``start`` to the first row's day.
    every: a number of days, weeks, months, quarters, half years or years (``month``, ``2 weeks``).
    month_end: where a month has no such day. ``same_day``: its last day, and the day of ``start`` again
        in the next month that has it. ``stay``: likewise, but from a last day of a month to last days only
        (28 February, 31 March). ``last_day``: always the last day of the month.
    """

    name: str
    start: Value
    first: int = 0
    every: str = "month"
    month_end: Literal["same_day", "stay", "last_day"] = "same_day"

    @field_validator("every")
    @classmethod
    def _period(cls, value: str) -> str:
        if not _PERIOD.fullmatch(value):
            raise ValueError(f"{value!r} is no period; write one like month, 2 weeks or quarter")
        return value

    @property
    def period(self) -> tuple[int, str]:
        """Length of the period and its unit, ``d``, ``w`` or ``mo``."""
        found = _PERIOD.fullmatch(self.every)
        assert found is not None
        return int(found[1] or 1) * _LENGTHS[found[2]], _OFFSETS[found[2]]


class Generate(_Part):
    """Makes ``count`` rows of each row, a repayment schedule say.

    Attributes
    ----------
    count: SQL expression, at most 10,000; 0 leaves the row out, which is counted. Where it is no whole number
        there is one row, whose ``number`` and date are empty, for the contract to refuse.
    number: new column, 1 to ``count``.
    total: new column with the count, for what is special about the last row.
    """

    count: str
    number: str
    total: str | None = None
    dates: Dates | None = None


class Output(_Part):
    """Rows of one source, made of an input or constant.

    In this order: ``prepare``, ``join``, ``unpivot``, ``where`` (as in SQL, a row stays where it is true),
    ``generate``, the columns, ``distinct``.
    """

    source: str
    input: str | None = Field(None, alias="from")
    rows: tuple[dict[str, str], ...] = ()
    prepare: str | None = None
    join: tuple[Join, ...] = ()
    unpivot: Unpivot | None = None
    generate: Generate | None = None
    where: str | None = None
    distinct: bool = False
    columns: dict[str, Value] = {}


class Mapping(_Part):
    """A whole adapter."""

    adapter: str
    version: int
    book: str
    description: Text
    delivery: AdapterDelivery = AdapterDelivery()
    inputs: dict[str, Input]
    outputs: tuple[Output, ...]

    @model_validator(mode="after")
    def _inputs_exist(self) -> Mapping:
        for output in self.outputs:
            if output.input is not None and output.input not in self.inputs:
                raise ValueError(
                    f"the output {output.source!r} is made `from` an unknown input {output.input!r}"
                )
            _check_joins(output, self.inputs)
        unknown = set(self.delivery.sources) - {output.source for output in self.outputs}
        if unknown:
            raise ValueError(f"`delivery` names {', '.join(sorted(unknown))}, of which no output is made")
        return self


def _check_joins(output: Output, inputs: dict[str, Input]) -> None:
    taken = set(inputs[output.input].columns) if output.input else set()
    for join in output.join:
        if join.input not in inputs:
            raise ValueError(f"the output {output.source!r} joins an unknown input {join.input!r}")
        if join.name in taken:
            raise ValueError(
                f"the output {output.source!r} already has a {join.name!r}; give the join a name with `as`"
            )
        taken.add(join.name)
        unknown = [name for name in join.on.values() if name not in inputs[join.input].columns]
        if unknown:
            raise ValueError(f"the input {join.input!r} has no column {unknown[0]!r} to join on")
