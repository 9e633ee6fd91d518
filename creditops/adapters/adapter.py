"""Reads a foreign system's files as rows of the canonical sources, as an adapter's YAML says.

An adapter is a folder ``<name>/`` here or in ``<home>/adapters/`` with ``adapter.yml`` (its
language is described by ``schema.json``) and, only where YAML does not reach, ``mapping.py``.
Nothing is judged here: a value that cannot be translated passes as text that its contract
refuses, so that the row lands in quarantine instead of getting lost.
"""

from __future__ import annotations

import fnmatch
import importlib.util
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType

import polars as pl
from pydantic import ValidationError

from creditops.adapters import shaping
from creditops.adapters.foreign_file import LINE, read_foreign_file
from creditops.adapters.mapping import Input, Mapping, Output, Value
from creditops.books import today
from creditops.errors import DataRefusedError, UsageError
from creditops.expressions import sql_expression
from creditops.reading.date_format import read_date
from creditops.settings import get_settings
from creditops.sources.contract import Column, ColumnType, Contract, load_contract
from creditops.sources.date_pattern import expression as date_pattern
from creditops.sources.document import place, read_document

ADAPTERS_FOLDER = Path(__file__).resolve().parent
SCHEMA = ADAPTERS_FOLDER / "schema.json"


@dataclass(frozen=True)
class Made:
    """Rows of one source that an output made of one file.

    Attributes
    ----------
    frame: all columns of the source's contract in its order, as canonical text (ISO dates, ``true`` and
        ``false``, plain decimals, null for empty).
    origin: the file the rows come from, ``adapter.yml`` for constant rows.
    left_out: rows of the origin that the output leaves out, by the reason.
    """

    source: str
    frame: pl.DataFrame
    origin: Path
    left_out: Map[str, int]


@dataclass(frozen=True)
class Adapter:
    """An adapter whose mapping agrees with the contracts it maps to.

    Attributes
    ----------
    folder: where ``adapter.yml`` is.
    mapping: its content.
    contracts: contract of each source it makes, in the form its book extends it to.
    """

    folder: Path
    mapping: Mapping
    contracts: MappingProxyType[str, Contract]

    @property
    def name(self) -> str:
        return self.mapping.adapter

    @property
    def book(self) -> str:
        """Book that the files belong to unless the user names another."""
        return self.mapping.book

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources that it makes, each once, in the order of its outputs."""
        return tuple(dict.fromkeys(output.source for output in self.mapping.outputs))

    @property
    def history(self) -> MappingProxyType[str, bool]:
        """Per source: rows of a first delivery count as known since their ``available`` day."""
        said = self.mapping.delivery
        found: dict[str, bool] = {}
        for source in self.sources:
            own = said.sources.get(source)
            choices = (own.history if own else None, said.history, self.contracts[source].delivery.history)
            found[source] = next(choice for choice in choices if choice is not None)
        return MappingProxyType(found)

    def deliveries(self) -> dict[str, date]:
        """Delivery day per source; a source that is absent is delivered on the day of loading."""
        said = self.mapping.delivery
        days = dict.fromkeys(self.sources, said.day)
        days |= {source: own.day for source, own in said.sources.items() if own.day}
        return {source: day for source, day in days.items() if day is not None}

    def read(self, path: Path, *, line_column: str | None = None, limit: int | None = None) -> Iterator[Made]:
        """Rows of each source made of the file ``path``, or of the files in the folder ``path``.

        Parameters
        ----------
        line_column: the frames have one more column, the origin's line of each row as int64.
        limit: only so many rows of each file; what is joined is read whole.

        Raises
        ------
        UsageError: ``path`` does not exist.
        DataRefusedError: an expected file is missing, or a file is refused whole.
        """
        files = self._files(path)
        for output in self.mapping.outputs:
            if output.rows:
                values = {name: Value(column=name) for row in output.rows for name in row}
                frame = pl.DataFrame(output.rows, schema=dict.fromkeys(values, pl.String), orient="row")
                frame = frame.with_row_index(LINE, offset=1)
                yield self._made(output, frame, values, self.folder / "adapter.yml", line_column, {})
        joined = {join.input for output in self.mapping.outputs for join in output.join}
        partners: dict[str, pl.DataFrame] = {}
        for name, form in self.mapping.inputs.items():
            if name in joined:
                contents = [read_foreign_file(origin, form) for each, origin in files if each == name]
                partners[name] = pl.concat(contents) if contents else _no_rows(form)
        for name, origin in files:
            content = read_foreign_file(origin, self.mapping.inputs[name])
            if limit is not None:
                content = content.head(limit)
            for output in self.mapping.outputs:
                if output.input == name:
                    yield self._made(output, content, output.columns, origin, line_column, partners)

    def try_empty(self) -> None:
        """Make every output of no rows, which tries every expression and every name in it.

        Outputs with ``prepare`` are tried where the function takes an empty frame.

        Raises
        ------
        UsageError: an expression cannot be parsed, or names what is not there; names output and column.
        """
        partners = {name: _no_rows(form) for name, form in self.mapping.inputs.items()}
        for output in self.mapping.outputs:
            if output.input is not None:
                try:
                    self._made(
                        output,
                        partners[output.input],
                        output.columns,
                        self.folder / "adapter.yml",
                        None,
                        partners,
                    )
                except DataRefusedError as error:
                    raise UsageError(error.message, hint=error.hint) from error

    def left_to_others(self) -> list[str]:
        """What its rows refer to and it does not make, in a sentence per source and reference."""
        return [
            f"{source} refers to {relationship.to} by {', '.join(relationship.columns)},"
            f" and the adapter makes no {relationship.to}: they must be delivered otherwise"
            for source in self.sources
            for relationship in self.contracts[source].relationships
            if relationship.to not in self.sources
            and all(self.contracts[source].column(name).required for name in relationship.columns)
        ]

    def takes(self, file: Path) -> bool:
        """Whether an input's patterns match the file's name."""
        return any(_fits(file, form) for form in self.mapping.inputs.values())

    def _files(self, path: Path) -> list[tuple[str, Path]]:
        """(input, file) for every file that an input's patterns match."""
        if not path.exists():
            raise UsageError(f"{path} does not exist", hint="name a file or a folder")
        candidates = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.is_file())
        found = [
            (name, file)
            for name, form in self.mapping.inputs.items()
            for file in candidates
            if _fits(file, form)
        ]
        present = {name for name, _ in found}
        needed = {
            join.input for output in self.mapping.outputs if output.input in present for join in output.join
        }
        for name, form in self.mapping.inputs.items():
            absent = name not in present
            if (path.is_dir() and absent and not form.optional) or not found:
                raise DataRefusedError(
                    f"{path}: there is no {' or '.join(form.files)}",
                    hint=f"adapter {self.name} reads it as {name!r}; deliver it",
                )
            if absent and name in needed and not form.optional:
                raise DataRefusedError(
                    f"{path}: adapter {self.name} joins {' or '.join(form.files)} to it",
                    hint="name the folder that holds both",
                )
        return found

    def _made(
        self,
        output: Output,
        content: pl.DataFrame,
        values: dict[str, Value],
        origin: Path,
        line_column: str | None,
        partners: Map[str, pl.DataFrame],
    ) -> Made:
        contract = self.contracts[output.source]
        left_out: Counter[str] = Counter()
        delivery = self.deliveries().get(output.source) or today(self.book)
        at = "prepare"
        try:
            rows = self._prepare(output, content)
            for join in output.join:
                at = f"join {join.name}"
                rows = shaping.look_up(rows, join, partners[join.input], left_out)
            if output.unpivot is not None:
                at = "unpivot"
                rows = shaping.unpivot(rows, output.unpivot)
            if output.where is not None:
                at = "where"
                rows = shaping.keep(rows, output.where, left_out)
            if output.generate is not None:
                at = "generate"
                dates = output.generate.dates
                rows = shaping.generate(
                    rows,
                    output.generate,
                    lambda made: _value(made, dates.start, "date") if dates else pl.lit(None),
                    left_out,
                )
            made = rows.select(pl.col(LINE).cast(pl.Int64))
            for column in contract.columns:
                at = column.name
                found = _canonical(rows, column, values.get(column.name), delivery)
                made = made.hstack(rows.select(found.alias(f"_to_{column.name}")))
        except (pl.exceptions.PolarsError, ValueError, DataRefusedError) as error:
            problem = error.message if isinstance(error, DataRefusedError) else str(error)
            problem = problem.splitlines()[0].split(": [")[0]  # what follows are cells
            hint = error.hint if isinstance(error, DataRefusedError) else None
            raise DataRefusedError(
                f"{origin}: adapter {self.name}, output {output.source}, {at}: {problem}",
                hint=hint or "mend the expression; try_cast lets a bad value through as null",
            ) from error
        made = made.rename({f"_to_{column.name}": column.name for column in contract.columns})
        if output.distinct:
            made = made.unique(
                [column.name for column in contract.columns], keep="first", maintain_order=True
            )
        made = made.drop(LINE) if line_column is None else made.rename({LINE: line_column})
        return Made(output.source, made, origin, MappingProxyType({**+left_out}))

    def _prepare(self, output: Output, content: pl.DataFrame) -> pl.DataFrame:
        if output.prepare is None:
            return content
        file = self.folder / "mapping.py"
        spec = importlib.util.spec_from_file_location(f"creditops_adapter_{self.name}", file)
        if spec is None or spec.loader is None or not file.exists():
            raise UsageError(f"{file} does not exist", hint=f"it must hold the function {output.prepare}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        function: Callable[[pl.DataFrame], pl.DataFrame] | None = getattr(module, output.prepare, None)
        if function is None:
            raise UsageError(f"{file} has no function {output.prepare}", hint="add it")
        return function(content)


def load_adapter(name: str) -> Adapter:
    """The adapter called ``name``, checked against its schema and the contracts it maps to.

    Raises
    ------
    UsageError: no such adapter, or its YAML is faulty; names file, place and remedy.
    """
    found = [parent / name / "adapter.yml" for parent in _parents() if name in _names(parent)]
    if not found:
        raise UsageError(
            f"there is no adapter {name!r}",
            hint=f"adapters are {', '.join(adapter_names())}; a new one goes to {_parents()[1] / name}",
        )
    if len(found) > 1:
        raise UsageError(f"{found[1]}: the name is taken by {found[0]}", hint="choose another name")
    return _load(found[0])


def adapter_names() -> list[str]:
    """Names of the adapters there are, the project's first."""
    return list(dict.fromkeys(name for parent in _parents() for name in _names(parent)))


def broken_adapters() -> list[tuple[Path, UsageError]]:
    """Files of users' adapters that are at fault; each stops only who names it."""
    broken: list[tuple[Path, UsageError]] = []
    for name in _names(_parents()[1]):
        try:
            load_adapter(name)
        except UsageError as error:
            broken.append((_parents()[1] / name / "adapter.yml", error))
    return broken


def _parents() -> tuple[Path, Path]:
    return ADAPTERS_FOLDER, get_settings().home / "adapters"


def _names(parent: Path) -> list[str]:
    return sorted(file.parent.name for file in parent.glob("*/adapter.yml"))


def _load(file: Path) -> Adapter:
    document = read_document(file, SCHEMA)
    try:
        mapping = Mapping.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = place(document, [step for step in first["loc"] if isinstance(step, str | int)])
        problem = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{file}: {where}: {problem}", hint="mend the adapter at that place") from error
    if mapping.adapter != file.parent.name:
        raise UsageError(
            f"{file}: adapter: {mapping.adapter!r} is not the name of the folder", hint="make them equal"
        )
    contracts: dict[str, Contract] = {}
    for index, output in enumerate(mapping.outputs):
        contract = load_contract(output.source, mapping.book)
        contracts[output.source] = contract
        _check_dates(f"{file}: outputs[{index}] ({output.source})", output)
        _check_columns(f"{file}: outputs[{index}] ({output.source})", output, contract)
    return Adapter(file.parent, mapping, MappingProxyType(contracts))


def _check_columns(where: str, output: Output, contract: Contract) -> None:
    known = {column.name for column in contract.columns}
    needed = {column.name for column in contract.columns if column.required}
    for given in (set(output.columns), *map(set, output.rows)):
        if not given or (given <= known and needed <= given):
            continue
        unknown, missing = sorted(given - known), sorted(needed - given)
        problem = f"the source has no column {unknown[0]!r}" if unknown else f"{missing[0]!r} is required"
        raise UsageError(f"{where}: {problem}", hint=f"its columns are {', '.join(sorted(known))}")


def _check_dates(where: str, output: Output) -> None:
    values = dict(output.columns)
    if output.generate is not None and output.generate.dates is not None:
        values["generate.dates.start"] = output.generate.dates.start
    for name, value in values.items():
        try:
            date_pattern(value.date_format or "%Y-%m-%d")
        except ValueError as error:
            raise UsageError(f"{where}: {name}.date_format: {error}", hint="mend the format") from error


def _fits(file: Path, form: Input) -> bool:
    return any(fnmatch.fnmatchcase(file.name, pattern) for pattern in form.files)


def _no_rows(form: Input) -> pl.DataFrame:
    return pl.DataFrame(schema={**dict.fromkeys(form.columns, pl.String), LINE: pl.Int64}).select(
        LINE, *form.columns
    )


def _canonical(rows: pl.DataFrame, column: Column, value: Value | None, delivery: date) -> pl.Expr:
    """The expression that gives ``column`` as canonical text, a column of ``rows``' height."""
    if value is None or value.constant is not None:
        return pl.repeat(value.constant if value else None, pl.len(), dtype=pl.String)
    text = _value(rows, value, column.type, delivery if column.is_past else None)
    return _plain_number(text, column) if column.type in ("money", "int", "bigint") else text


def _value(rows: pl.DataFrame, value: Value, type_: ColumnType, latest: date | None = None) -> pl.Expr:
    """The expression that gives ``value`` as canonical text for a column of this type.

    Parameters
    ----------
    latest: the day that two digits of a year may not lie behind.
    """
    if value.constant is not None:
        return pl.lit(value.constant)
    found = shaping.column(rows, value.column) if value.column else sql_expression(value.expression or "")
    kind = rows.head(0).select(found.alias("value")).schema["value"]
    text = found if kind == pl.String else _as_text(found, kind, type_)
    if value.date_format is not None:
        text = pl.coalesce(read_date(text, value.date_format, latest=latest), pl.lit("unread: ") + text)
    if value.values is not None:
        text = text.replace_strict(
            list(value.values),
            list(value.values.values()),
            default=pl.lit("unmapped: ") + text,
            return_dtype=pl.String,
        )
    return text


def _as_text(found: pl.Expr, kind: pl.DataType, type_: ColumnType) -> pl.Expr:
    if kind.is_float() and type_ == "money":
        return found.round(2).cast(pl.Decimal(38, 2)).cast(pl.String)
    if kind == pl.Boolean:
        return pl.when(found).then(pl.lit("true")).when(~found).then(pl.lit("false"))
    if kind == pl.Date:
        return found.dt.to_string("%Y-%m-%d")
    if isinstance(kind, pl.Datetime):
        return found.dt.to_string("%Y-%m-%dT%H:%M:%S%:z" if kind.time_zone else "%Y-%m-%dT%H:%M:%S")
    return found.cast(pl.String)


def _plain_number(text: pl.Expr, column: Column) -> pl.Expr:
    """``1e+05`` as ``100000``: some systems print round amounts that way, contracts do not take it."""
    scale = 2 if column.type == "money" else 0
    plain = text.cast(pl.Float64, strict=False).cast(pl.Decimal(38, scale), strict=False).cast(pl.String)
    is_exponential = text.str.contains(r"^[+-]?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+$")
    return pl.when(is_exponential).then(pl.coalesce(plain, text)).otherwise(text)
