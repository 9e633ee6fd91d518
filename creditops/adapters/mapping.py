"""The parts of an adapter's YAML: inputs, outputs and how a value is found."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field, model_validator

from creditops.sources.column import Text


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
    """One kind of delimited file of the foreign system.

    Attributes
    ----------
    files: name patterns.
    columns: columns the file must have; without a ``header`` all its columns, in order.
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


class Output(_Part):
    """Rows of one source, made of an input or constant."""

    source: str
    input: str | None = Field(None, alias="from")
    rows: tuple[dict[str, str], ...] = ()
    prepare: str | None = None
    unpivot: Unpivot | None = None
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
        unknown = set(self.delivery.sources) - {output.source for output in self.outputs}
        if unknown:
            raise ValueError(f"`delivery` names {', '.join(sorted(unknown))}, of which no output is made")
        return self
